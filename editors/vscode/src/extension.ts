// Starts `hds lsp` for documents of the language, and starts it anew when its settings change.
import { commands, ExtensionContext, window, workspace } from "vscode";
import { LanguageClient, LanguageClientOptions, ServerOptions } from "vscode-languageclient/node";

let client: LanguageClient | undefined;

function newClient(): LanguageClient {
  const settings = workspace.getConfiguration("hds");
  const command = settings.get<string>("path", "hds");
  const options = settings.get<string[]>("arguments", []);
  const folder = workspace.workspaceFolders?.[0]?.uri.fsPath;
  const server: ServerOptions = { command, args: ["lsp", ...options], options: { cwd: folder } };
  const documents: LanguageClientOptions = {
    documentSelector: [
      { scheme: "file", language: "hds" },
      { scheme: "untitled", language: "hds" },
    ],
  };
  return new LanguageClient("hds", "HyperDbg script", server, documents);
}

async function start(): Promise<void> {
  await client?.dispose();
  client = newClient();
  try {
    await client.start();
  } catch (error) {
    const answer = await window.showErrorMessage(
      `hds lsp does not start: ${error instanceof Error ? error.message : String(error)}`,
      "Settings",
    );
    if (answer === "Settings") {
      await commands.executeCommand("workbench.action.openSettings", "hds.path");
    }
  }
}

export async function activate(context: ExtensionContext): Promise<void> {
  context.subscriptions.push(
    commands.registerCommand("hds.restart", start),
    workspace.onDidChangeConfiguration(async (change) => {
      if (change.affectsConfiguration("hds")) {
        await start();
      }
    }),
  );
  await start();
}

export async function deactivate(): Promise<void> {
  await client?.dispose();
}
