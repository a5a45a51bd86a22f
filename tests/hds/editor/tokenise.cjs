// What vscode-textmate makes of texts: node tokenise.cjs PACKAGES GRAMMAR < names of files, a line of JSON for each:
// [line, start, end, innermost scope] of every token, places from 0 in UTF-16.
const fs = require("fs");
const path = require("path");
const [, , packages, grammarFile] = process.argv;
const oniguruma = require(path.join(packages, "vscode-oniguruma"));
const textmate = require(path.join(packages, "vscode-textmate"));

async function main() {
  const wasm = fs.readFileSync(path.join(packages, "vscode-oniguruma", "release", "onig.wasm"));
  await oniguruma.loadWASM(wasm.buffer.slice(wasm.byteOffset, wasm.byteOffset + wasm.byteLength));
  const registry = new textmate.Registry({
    onigLib: Promise.resolve({
      createOnigScanner: (patterns) => new oniguruma.OnigScanner(patterns),
      createOnigString: (text) => new oniguruma.OnigString(text),
    }),
    loadGrammar: async () => textmate.parseRawGrammar(fs.readFileSync(grammarFile, "utf8"), grammarFile),
  });
  const grammar = await registry.loadGrammar("source.hds");
  for (const name of fs.readFileSync(0, "utf8").split("\n").filter(Boolean)) {
    let stack = textmate.INITIAL;
    const rows = [];
    fs.readFileSync(name, "utf8").split("\n").forEach((line, number) => {
      const made = grammar.tokenizeLine(line, stack);
      stack = made.ruleStack;
      for (const token of made.tokens) {
        rows.push([number, token.startIndex, token.endIndex, token.scopes[token.scopes.length - 1]]);
      }
    });
    console.log(JSON.stringify(rows));
  }
}
main();
