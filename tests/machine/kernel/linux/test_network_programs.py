"""curl and Go's HTTP client: natively against a server on loopback, here against a scripted host of the same answers.

Capture files are opened by scapy, which shares nothing with what writes them.
"""

from __future__ import annotations

import http.server
import itertools
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from linux_guests import without_calls
from scapy.layers.dns import DNS
from scapy.layers.inet import IP, TCP, UDP
from scapy.packet import Packet, Raw
from scapy.utils import rdpcap
from test_toolchains import build_go
from whole_machine import here, native_runs

from machine.kernel import Capture, ScriptedNetwork, read_network

pytestmark = pytest.mark.programs

PAGE = "<p>a page</p>"
FILE = f"""
[[host]]
names = ["c2.example"]
addresses = ["192.0.2.10"]
[[host.port]]
port = 80
http = "{PAGE}"
[[host.port]]
port = 7
echo = true
"""
CLIENT = """
package main
import ("bufio"; "fmt"; "io"; "net"; "net/http"; "os")
func main() {
    answer, err := http.Get("http://" + os.Args[1] + "/x")
    if err != nil { fmt.Println("no answer"); os.Exit(1) }
    body, _ := io.ReadAll(answer.Body)
    fmt.Printf("%d %q\\n", answer.StatusCode, body)
    c, err := net.Dial("tcp", os.Args[2])
    if err != nil { fmt.Println("no connection"); os.Exit(2) }
    fmt.Fprintf(c, "beacon\\n")
    line, err := bufio.NewReader(c).ReadString('\\n')
    fmt.Printf("%q %v\\n", line, err)
}
"""


class _Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(PAGE)))
        self.end_headers()
        self.wfile.write(PAGE.encode())

    def log_message(self, format: str, *arguments: object) -> None:
        pass


class _Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        while data := self.request.recv(4096):
            self.request.sendall(data)


@contextmanager
def served(handler: type[socketserver.BaseRequestHandler]) -> Iterator[str]:
    """A server of this machine; yields its address."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def network() -> ScriptedNetwork:
    return read_network(FILE, lambda name: b"")


def packets(capture: Capture, file: Path) -> list[Packet]:
    """What scapy makes of the file, each layer dissected."""
    file.write_bytes(bytes(capture.data))
    return list(rdpcap(str(file)))


def test_curl_gets_a_page_of_a_scripted_host_as_of_a_server(tmp_path: Path) -> None:
    emulated = here(("curl", "-s", "http://192.0.2.10/x"), network=network())
    assert (emulated.output, emulated.exit_code) == (PAGE.encode(), 0)
    with served(_Page) as address:
        native = native_runs(("curl", "-s", f"http://{address}/x"), tmp_path)
        assert without_calls(emulated) == without_calls(native.like(emulated, without_calls))


@pytest.mark.parametrize("name", ["192.0.2.10", "c2.example"])
def test_a_client_in_go_talks_to_scripted_hosts_as_to_servers(name: str, tmp_path: Path) -> None:
    program = str(build_go(CLIENT, tmp_path))
    emulated = here((program, f"{name}:80", f"{name}:7"), network=network())
    assert emulated.exit_code == 0
    with served(_Page) as page, served(_Echo) as echo:
        native = native_runs((program, page, echo), tmp_path)
        assert without_calls(emulated) == without_calls(native.like(emulated, without_calls))


def test_scapy_reads_what_curl_sent(tmp_path: Path) -> None:
    capture = Capture(1 << 20)
    here(("curl", "-s", "http://c2.example/x"), network=network(), capture=capture)
    read = packets(capture, tmp_path / "curl.pcap")
    questions = [packet[DNS] for packet in read if UDP in packet and packet[DNS].qr == 0]
    answers = [packet[DNS] for packet in read if UDP in packet and packet[DNS].qr == 1 and packet[DNS].ancount]
    assert {question.qd[0].qname for question in questions} == {b"c2.example."}
    assert [answer.an[0].rdata for answer in answers] == ["192.0.2.10"]
    stream = [packet for packet in read if TCP in packet]
    assert [str(packet[TCP].flags) for packet in stream[:3]] == ["S", "SA", "A"]
    sent = b"".join(bytes(packet[Raw]) for packet in stream if packet[TCP].dport == 80 and Raw in packet)
    received = b"".join(bytes(packet[Raw]) for packet in stream if packet[TCP].sport == 80 and Raw in packet)
    assert sent.startswith(b"GET /x HTTP/1.1\r\nHost: c2.example\r\n")
    assert received.endswith(PAGE.encode())
    assert all(float(a.time) <= float(b.time) for a, b in itertools.pairwise(read))


def test_scapy_finds_the_sums_right_that_a_capture_file_has(tmp_path: Path) -> None:
    """scapy computes the sums of a packet from which they are taken away; it finds those that are in the file."""
    capture = Capture(1 << 20)
    here(("curl", "-s", "http://c2.example/x"), network=network(), capture=capture)
    for packet in packets(capture, tmp_path / "curl.pcap"):
        assert packet.haslayer(IP)
        bare = packet.copy()
        transport = TCP if TCP in bare else UDP
        del bare[IP].chksum, bare[IP].len, bare[transport].chksum
        again = IP(bytes(bare))
        assert (again.chksum, again.len) == (packet[IP].chksum, packet[IP].len)
        assert packet[transport].chksum == again[transport].chksum
