"""Nothing leaves: hds itself runs under strace while a guest tries every way out that a socket or a path is."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from linux_guests import build, strace

pytestmark = pytest.mark.programs

OUTWARDS = r"""
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void said(const char *what, long result) {
    printf("%s %s\n", what, result < 0 ? strerrorname_np(errno) : "works");
}

static void internet(const char *what, int type, const char *address, int port) {
    struct sockaddr_in to = {AF_INET, htons(port)};
    inet_pton(AF_INET, address, &to.sin_addr);
    int fd = socket(AF_INET, type, 0);
    const char *question = "\0\1\1\0\0\1\0\0\0\0\0\0\1a\0\0\1\0\1";
    said(what, type == SOCK_STREAM ? connect(fd, (void *)&to, sizeof to)
                                   : sendto(fd, question, 19, 0, (void *)&to, sizeof to));
    close(fd);
}

static void unix_name(const char *what, const char *name, int size) {
    struct sockaddr_un to = {AF_UNIX};
    memcpy(to.sun_path, name, size);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    said(what, connect(fd, (void *)&to, offsetof(struct sockaddr_un, sun_path) + size));
    close(fd);
}

int main(int argc, char **argv) {
    internet("tcp", SOCK_STREAM, "192.0.2.1", 80);
    internet("tcp to the host", SOCK_STREAM, "127.0.0.1", 22);
    internet("udp", SOCK_DGRAM, "192.0.2.1", 9);
    internet("dns", SOCK_DGRAM, "192.0.2.53", 53);
    internet("broadcast", SOCK_DGRAM, "255.255.255.255", 9);
    struct sockaddr_in6 six = {AF_INET6, htons(80)};
    inet_pton(AF_INET6, "2001:db8::1", &six.sin6_addr);
    said("tcp6", connect(socket(AF_INET6, SOCK_STREAM, 0), (void *)&six, sizeof six));
    unix_name("abstract", "\0out", 4);
    unix_name("path", argv[1], strlen(argv[1]) + 1);
    said("raw", socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
    said("packet", socket(AF_PACKET, SOCK_RAW, htons(3)));
    said("netlink", socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE));
    said("vsock", socket(AF_VSOCK, SOCK_STREAM, 0));
    said("secret", open(argv[2], O_RDONLY));
    char up[4096] = "/../../../../../../../..";
    said("secret from above", open(strcat(up, argv[2]), O_RDONLY));
    said("device", open("/dev/mem", O_RDWR));
    said("process of the host", open("/proc/1/environ", O_RDONLY));
    symlink(argv[2], "/tmp/link");
    said("secret by a link", open("/tmp/link", O_RDONLY));
    said("written outside", open(argv[3], O_CREAT | O_WRONLY, 0600));
    return 0;
}
"""
ANSWERS = {
    "tcp": "ENETUNREACH",
    "tcp to the host": "ECONNREFUSED",
    "udp": "ENETUNREACH",
    "dns": "ENETUNREACH",
    "broadcast": "ENETUNREACH",
    "tcp6": "ENETUNREACH",
    "abstract": "ECONNREFUSED",
    "path": "ENOENT",
    "raw": "EPERM",
    "packet": "EAFNOSUPPORT",
    "netlink": "works",
    "vsock": "EAFNOSUPPORT",
    "secret": "ENOENT",
    "secret from above": "ENOENT",
    "device": "ENOENT",
    "process of the host": "ENOENT",
    "secret by a link": "ENOENT",
    "written outside": "ENOENT",
}
NET = """
[[host]]
addresses = ["198.51.100.7"]
[[host.port]]
port = 80
echo = true
"""


@pytest.mark.parametrize("network", [False, True], ids=["alone", "scripted"])
def test_no_socket_and_no_file_of_the_host_is_opened_for_a_guest(network: bool, tmp_path: Path) -> None:
    """Scripted hosts change what DNS says, and nothing else that this guest asks for."""
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir()
    outside.mkdir()
    (outside / "secret").write_text("secret")
    (tmp_path / "net.toml").write_text(NET)
    program, trace = build(OUTWARDS, "glibc", tmp_path), tmp_path / "trace"
    traced = [*strace(trace), "-y", "-e", "trace=network,openat,open,openat2,creat"]
    options = ["--net", str(tmp_path / "net.toml"), "--pcap", str(tmp_path / "pcap")] if network else []
    done = subprocess.run(
        [*traced, sys.executable, "-m", "hds", "run", "--root", str(inside), "--guest-output", "stdout", *options,
         "-e", "!syscall 29 script { .n++; }", str(program),
         str(outside / "socket"), str(outside / "secret"), str(outside / "made")],
        capture_output=True, text=True, check=False, cwd=Path(__file__).parents[4], env=dict(os.environ),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = dict(line.rsplit(" ", 1) for line in done.stdout.splitlines())
    assert found == (ANSWERS | {"dns": "works"} if network else ANSWERS)
    text = trace.read_text(errors="replace")
    opened = re.findall(r"^\d+\s+open\w*\((.*)", text, re.MULTILINE)
    assert len(opened) > 100, "the trace has what Python itself opens"
    assert not [line for line in opened if str(outside) in line or "/dev/mem" in line or '"/proc/1' in line]
    assert not re.findall(r"^\d+\s+(?:socket|connect|bind|sendto|sendmsg|sendmmsg|socketpair)\(.*", text, re.MULTILINE)
    assert not (outside / "made").exists()
