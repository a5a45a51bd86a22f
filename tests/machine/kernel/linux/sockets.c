/* Programs with sockets, one per argument; each prints the same in every schedule. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define SHOW(expression) show(#expression, (errno = 0, (long)(expression)))
static void show(const char *what, long result) {
    int error = errno;
    if (result < 0) printf("%s = %ld %s\n", what, result, strerrorname_np(error)); else printf("%s = %ld\n", what, result);
    fflush(stdout);
}
static struct sockaddr_in at(const char *host, int port) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
    inet_pton(AF_INET, host, &a.sin_addr);
    return a;
}
#define A(a) (struct sockaddr *)&(a), sizeof(a)
static int port_of(int s) {
    struct sockaddr_in6 a; socklen_t n = sizeof a;
    getsockname(s, (void *)&a, &n);
    return ntohs(((struct sockaddr_in *)&a)->sin_port);
}
static int server(int type, int *port) {
    struct sockaddr_in a = at("127.0.0.1", 0);
    int s = socket(AF_INET, type, 0);
    bind(s, A(a));
    if (type == SOCK_STREAM) listen(s, 5);
    *port = port_of(s);
    return s;
}
static int client(int port) {
    struct sockaddr_in a = at("127.0.0.1", port);
    int s = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(s, A(a))) perror("connect");
    return s;
}
static void name(const char *what, struct sockaddr *a, socklen_t n, int mine, int other) {
    char text[64] = "";
    int port = 0;
    if (a->sa_family == AF_INET) inet_ntop(AF_INET, &((struct sockaddr_in *)a)->sin_addr, text, 64), port = ((struct sockaddr_in *)a)->sin_port;
    if (a->sa_family == AF_INET6) inet_ntop(AF_INET6, &((struct sockaddr_in6 *)a)->sin6_addr, text, 64), port = ((struct sockaddr_in6 *)a)->sin6_port;
    port = ntohs(port);
    printf("%s: family %d size %d host %s port %s\n", what, a->sa_family, (int)n, text,
           port == mine ? "mine" : port == other ? "the other's" : port ? "another" : "none");
}

static void echo(int s) {
    char buffer[4096];
    ssize_t n;
    while ((n = read(s, buffer, sizeof buffer)) > 0) for (ssize_t done = 0; done < n;) done += write(s, buffer + done, n - done);
    close(s);
}
static void talk(int s, int many) {
    char out[256], in[256];
    long sum = 0;
    for (int i = 0; i < many; i++) {
        int n = snprintf(out, sizeof out, "message %d of many", i);
        send(s, out, n, 0);
        if (recv(s, in, n, MSG_WAITALL) != n || memcmp(in, out, n)) printf("bad echo %d\n", i);
        sum += n;
    }
    shutdown(s, SHUT_WR);
    printf("%ld bytes echoed, then %zd\n", sum, read(s, in, sizeof in));
    close(s);
}
static void forked(void) {
    int port, s = server(SOCK_STREAM, &port);
    for (int i = 0; i < 3; i++) if (!fork()) { int c = accept(s, 0, 0); close(s); echo(c); exit(i); }
    for (int i = 0; i < 3; i++) talk(client(port), 10);
    for (int i = 0; i < 3; i++) wait(0);
}
static void *serve(void *own) {
    int c = accept4((int)(long)own, 0, 0, SOCK_CLOEXEC);
    echo(c);
    return 0;
}
static void threaded(void) {
    pthread_t threads[4];
    int port, s = server(SOCK_STREAM, &port);
    for (int i = 0; i < 4; i++) pthread_create(&threads[i], 0, serve, (void *)(long)s);
    for (int i = 0; i < 4; i++) talk(client(port), 10);
    for (int i = 0; i < 4; i++) pthread_join(threads[i], 0);
}
static void *pour(void *own) {
    char *big = malloc(6000000);
    for (int i = 0; i < 6000000; i++) big[i] = i * 7;
    printf("sent %zd\n", send((int)(long)own, big, 6000000, 0));
    shutdown((int)(long)own, SHUT_WR);
    return 0;
}
static void bulk(void) {
    for (int local = 0; local < 2; local++) {
        int pair[2], port;
        if (local) socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
        else { int s = server(SOCK_STREAM, &port); pair[0] = client(port); pair[1] = accept(s, 0, 0); }
        pthread_t thread;
        pthread_create(&thread, 0, pour, (void *)(long)pair[0]);
        char *in = malloc(6000000);
        long all = 0, n, sum = 0;
        while ((n = recv(pair[1], in, 100000, MSG_WAITALL)) > 0) { for (int i = 0; i < n; i++) sum += (unsigned char)in[i]; all += n; }
        pthread_join(thread, 0);
        printf("%ld %ld\n", all, sum);
    }
}
static void pairs(void) {
    int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET};
    for (int t = 0; t < 3; t++) {
        int p[2];
        char b[64] = "";
        SHOW(socketpair(AF_UNIX, types[t] | SOCK_NONBLOCK, 0, p));
        SHOW(recv(p[0], b, 8, 0));
        SHOW(send(p[0], "hello", 5, 0));
        SHOW(send(p[0], "world!", 6, 0));
        int waiting; SHOW(ioctl(p[1], FIONREAD, &waiting)); printf("%d\n", waiting);
        SHOW(recv(p[1], b, 3, MSG_PEEK));
        SHOW(recv(p[1], b, 3, MSG_TRUNC));
        printf("%.3s\n", b);
        struct iovec v[2] = {{b, 2}, {b + 2, 20}};
        SHOW(readv(p[1], v, 2));
        printf("%s\n", b);
        SHOW(recv(p[1], b, 20, MSG_DONTWAIT));
        struct iovec w[2] = {{"one", 3}, {"two", 3}};
        SHOW(writev(p[1], w, 2));
        memset(b, 0, sizeof b);
        SHOW(read(p[0], b, 30)); printf("%s\n", b);
        SHOW(send(p[0], "", 0, 0));
        SHOW(read(p[1], b, 30));
        struct sockaddr_un a; socklen_t n = sizeof a;
        SHOW(getsockname(p[0], (void *)&a, &n)); printf("%d %d\n", n, a.sun_family);
        n = sizeof a; SHOW(getpeername(p[0], (void *)&a, &n)); printf("%d\n", n);
        struct stat st; fstat(p[0], &st); printf("%o\n", st.st_mode);
        SHOW(lseek(p[0], 0, SEEK_SET));
        SHOW(shutdown(p[0], SHUT_WR));
        SHOW(send(p[0], "x", 1, MSG_NOSIGNAL));
        SHOW(read(p[1], b, 30));
        SHOW(send(p[1], "y", 1, MSG_NOSIGNAL));
        close(p[1]);
        SHOW(read(p[0], b, 30));
        SHOW(read(p[0], b, 30));
        SHOW(shutdown(p[0], 3));
        close(p[0]);
        SHOW(socketpair(AF_UNIX, types[t], 0, p));
        send(p[0], "unread", 6, 0);
        close(p[1]);
        SHOW(recv(p[0], b, 9, MSG_DONTWAIT));
        SHOW(recv(p[0], b, 9, MSG_DONTWAIT));
        SHOW(send(p[0], "x", 1, MSG_NOSIGNAL));
        close(p[0]);
    }
    SHOW(socketpair(AF_INET, SOCK_STREAM, 0, types));
    SHOW(socketpair(AF_UNIX, SOCK_STREAM, 7, types));
    SHOW(socketpair(AF_UNIX, 77, 0, types));
}
static void broken(int signal) { printf("signal %d\n", signal); }
static void pipe_signal(void) {
    int p[2];
    struct sigaction action = {.sa_handler = broken};
    sigaction(SIGPIPE, &action, 0);
    socketpair(AF_UNIX, SOCK_STREAM, 0, p);
    close(p[1]);
    SHOW(write(p[0], "x", 1));
    SHOW(send(p[0], "x", 1, 0));
    SHOW(send(p[0], "x", 1, MSG_NOSIGNAL));
    int port, s = server(SOCK_STREAM, &port), c = client(port), a = accept(s, 0, 0);
    shutdown(c, SHUT_WR);
    SHOW(write(c, "x", 1));
    close(a);
    socketpair(AF_UNIX, SOCK_SEQPACKET, 0, p);
    close(p[1]);
    SHOW(send(p[0], "x", 1, 0));
}
static void refused(void) {
    int port, s = server(SOCK_STREAM, &port), c = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in a = at("127.0.0.1", port), b;
    close(s);
    SHOW(connect(c, A(a)));
    struct sockaddr_in6 six = {.sin6_family = AF_INET6};
    SHOW(connect(c, A(six)));
    SHOW(bind(c, (void *)&a, 4));
    b = at("8.8.8.8", 0);
    SHOW(bind(c, A(b)));
    SHOW(listen(1, 5));
    SHOW(listen(99, 5));
    SHOW(accept(c, 0, 0));
    SHOW(send(c, "x", 1, MSG_NOSIGNAL));
    SHOW(recv(c, &b, 1, 0));
    SHOW(shutdown(c, SHUT_WR));
    socklen_t n = sizeof b;
    SHOW(getpeername(c, (void *)&b, &n));
    int d = socket(AF_INET, SOCK_DGRAM, 0);
    SHOW(send(d, "x", 1, 0));
    SHOW(listen(d, 5));
    SHOW(accept(d, 0, 0));
    SHOW(sendto(d, "x", 1, 0, A(a)));
    SHOW(connect(d, A(a)));
    SHOW(send(d, "x", 1, 0));
    SHOW(send(d, "x", 1, 0));
    SHOW(recv(d, &b, 1, MSG_DONTWAIT));
    SHOW(recv(d, &b, 1, MSG_DONTWAIT));
    static char big[70000];
    SHOW(send(d, big, sizeof big, 0));
    SHOW(socket(99, SOCK_STREAM, 0));
    SHOW(socket(AF_INET, 9, 0));
    SHOW(socket(AF_INET, SOCK_STREAM, IPPROTO_UDP));
    SHOW(socket(AF_INET, 0x10, 0));
    SHOW(socket(AF_UNIX, SOCK_STREAM, 17));
    struct sockaddr_un u = {.sun_family = AF_UNIX, .sun_path = "/nowhere/at/all"};
    int x = socket(AF_UNIX, SOCK_STREAM, 0);
    SHOW(connect(x, A(u)));
    SHOW(bind(x, A(u)));
    SHOW(listen(x, 1));
    strcpy(u.sun_path + 1, "nobody"); u.sun_path[0] = 0;
    SHOW(connect(x, A(u)));
}
static void in_use(void) {
    int port, s = server(SOCK_STREAM, &port), c = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    struct sockaddr_in a = at("127.0.0.1", port), any = at("0.0.0.0", port), other = at("127.0.0.2", port);
    SHOW(bind(c, A(a)));
    SHOW(bind(c, A(any)));
    setsockopt(c, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    SHOW(bind(c, A(a)));
    SHOW(bind(c, A(other)));
    SHOW(bind(c, A(other)));
    SHOW(listen(c, 1));
    close(c);
    close(s);
    int v6 = socket(AF_INET6, SOCK_STREAM, 0);
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    SHOW(bind(v6, A(six)));
    c = socket(AF_INET, SOCK_STREAM, 0);
    SHOW(bind(c, A(a)));
    int u1 = socket(AF_INET, SOCK_DGRAM, 0), u2 = socket(AF_INET, SOCK_DGRAM, 0);
    SHOW(bind(u1, A(a)));
    SHOW(bind(u2, A(a)));
}
static void names(void) {
    int port, s = server(SOCK_STREAM, &port), c = client(port);
    struct sockaddr_storage a; socklen_t n = sizeof a;
    int mine = port_of(c), d = accept(s, (void *)&a, &n);
    name("accepted", (void *)&a, n, mine, port);
    n = sizeof a; getsockname(c, (void *)&a, &n); name("own", (void *)&a, n, mine, port);
    n = sizeof a; getpeername(c, (void *)&a, &n); name("peer", (void *)&a, n, mine, port);
    n = sizeof a; getpeername(d, (void *)&a, &n); name("peer", (void *)&a, n, mine, port);
    n = sizeof a; getsockname(d, (void *)&a, &n); name("own", (void *)&a, n, mine, port);
    n = 4; SHOW(getsockname(d, (void *)&a, &n)); printf("%d\n", n);
    int v6 = socket(AF_INET6, SOCK_STREAM, 0);
    n = sizeof a; getsockname(v6, (void *)&a, &n); name("unbound", (void *)&a, n, 0, 0);
    SHOW(listen(v6, 3));
    port = port_of(v6);
    c = client(port);
    mine = port_of(c);
    n = sizeof a; d = accept(v6, (void *)&a, &n); name("mapped", (void *)&a, n, mine, port);
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    c = socket(AF_INET6, SOCK_STREAM, 0);
    SHOW(connect(c, A(six)));
    mine = port_of(c);
    n = sizeof a; d = accept(v6, (void *)&a, &n); name("six", (void *)&a, n, mine, port);
    SHOW(write(c, "abc", 3));
    char b[8]; n = sizeof a;
    SHOW(recvfrom(d, b, 8, 0, (void *)&a, &n)); printf("%d\n", n);
}
static void datagrams(void) {
    int port, s = server(SOCK_DGRAM, &port), c = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in to = at("127.0.0.1", port);
    struct sockaddr_storage a; socklen_t n = sizeof a;
    char b[64];
    SHOW(sendto(c, "first", 5, 0, A(to)));
    SHOW(sendto(c, "", 0, 0, A(to)));
    SHOW(sendto(c, "third one", 9, 0, A(to)));
    int mine = port_of(c);
    SHOW(recvfrom(s, b, 3, MSG_TRUNC, (void *)&a, &n)); name("from", (void *)&a, n, mine, port);
    SHOW(recv(s, b, 64, 0));
    struct iovec v = {b, 4};
    struct msghdr m = {.msg_name = &a, .msg_namelen = sizeof a, .msg_iov = &v, .msg_iovlen = 1};
    SHOW(recvmsg(s, &m, 0)); printf("%x %d\n", m.msg_flags, m.msg_namelen);
    SHOW(sendto(s, "answer", 6, 0, (void *)&a, m.msg_namelen));
    SHOW(connect(c, A(to)));
    SHOW(read(c, b, 64));
    struct mmsghdr out[3] = {}, in[4] = {};
    struct iovec o[3] = {{"a", 1}, {"bb", 2}, {"ccc", 3}}, i[4];
    char buffers[4][8];
    for (int k = 0; k < 3; k++) out[k].msg_hdr = (struct msghdr){.msg_iov = &o[k], .msg_iovlen = 1};
    for (int k = 0; k < 4; k++) i[k] = (struct iovec){buffers[k], 8}, in[k].msg_hdr = (struct msghdr){.msg_iov = &i[k], .msg_iovlen = 1};
    SHOW(sendmmsg(c, out, 3, 0)); printf("%d %d %d\n", out[0].msg_len, out[1].msg_len, out[2].msg_len);
    SHOW(recvmmsg(s, in, 4, MSG_WAITFORONE, 0)); printf("%d %d %d\n", in[0].msg_len, in[1].msg_len, in[2].msg_len);
    SHOW(recvmmsg(s, in, 4, MSG_DONTWAIT, 0));
    struct timeval t = {0, 20000};
    SHOW(setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t));
    SHOW(recv(s, b, 64, 0));
    struct sockaddr none = {.sa_family = AF_UNSPEC};
    SHOW(connect(c, &none, sizeof none));
    SHOW(send(c, "x", 1, 0));
}
static void local_names(void) {
    struct sockaddr_un u = {.sun_family = AF_UNIX}, a;
    socklen_t n, size = offsetof(struct sockaddr_un, sun_path) + 10;
    snprintf(u.sun_path + 1, 90, "hds-%07d", getpid());
    int s = socket(AF_UNIX, SOCK_STREAM, 0), c = socket(AF_UNIX, SOCK_STREAM, 0), e = socket(AF_UNIX, SOCK_STREAM, 0);
    SHOW(bind(s, (void *)&u, size));
    SHOW(bind(e, (void *)&u, size));
    SHOW(connect(c, (void *)&u, size));
    SHOW(listen(s, 1));
    SHOW(connect(c, (void *)&u, size));
    SHOW(connect(c, (void *)&u, size));
    n = sizeof a; int d = accept(s, (void *)&a, &n); printf("accepted %d\n", n);
    n = sizeof a; SHOW(getpeername(c, (void *)&a, &n)); printf("%d\n", n);
    n = sizeof a; SHOW(getsockname(d, (void *)&a, &n)); printf("%d\n", n);
    struct ucred cred; n = sizeof cred;
    SHOW(getsockopt(c, SOL_SOCKET, SO_PEERCRED, &cred, &n)); printf("%d %d\n", cred.pid == getpid(), cred.uid == getuid());
    char folder[] = "/tmp/hds-socket-XXXXXX";
    mkdtemp(folder); chdir(folder);
    struct sockaddr_un p = {.sun_family = AF_UNIX, .sun_path = "name"};
    int f = socket(AF_UNIX, SOCK_DGRAM, 0), g = socket(AF_UNIX, SOCK_DGRAM, 0);
    SHOW(bind(f, A(p)));
    SHOW(bind(g, A(p)));
    struct stat st; stat("name", &st); printf("%o\n", st.st_mode);
    SHOW(open("name", O_RDONLY));
    SHOW(connect(e, A(p)));
    SHOW(sendto(g, "to a path", 9, 0, A(p)));
    char b[32]; n = sizeof a;
    SHOW(recvfrom(f, b, 32, 0, (void *)&a, &n)); printf("%d\n", n);
    n = sizeof a; SHOW(getsockname(f, (void *)&a, &n)); printf("%d %s\n", n, a.sun_path);
    SHOW(bind(g, (void *)&u, 2));
    n = sizeof a; getsockname(g, (void *)&a, &n); printf("%d\n", n);
    SHOW(connect(g, A(p)));
    for (int i = 0; i < 12; i++) if (send(g, "x", 1, MSG_DONTWAIT) < 0) { printf("full behind %d\n", i); break; }
    close(f);
    SHOW(send(g, "x", 1, 0));
    SHOW(connect(g, A(p)));
    SHOW(unlink("name"));
    SHOW(connect(g, A(p)));
    chdir("/"); rmdir(folder);
}
static int pass(int s, int *fds, int count, const char *text) {
    char control[CMSG_SPACE(16 * sizeof(int))] = {};
    struct iovec v = {(void *)text, strlen(text)};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = CMSG_SPACE(count * sizeof(int))};
    struct cmsghdr *h = CMSG_FIRSTHDR(&m);
    h->cmsg_level = SOL_SOCKET; h->cmsg_type = SCM_RIGHTS; h->cmsg_len = CMSG_LEN(count * sizeof(int));
    memcpy(CMSG_DATA(h), fds, count * sizeof(int));
    return sendmsg(s, &m, 0);
}
static int take(int s, int *fds, int room, int flags) {
    char control[256], b[64] = "";
    struct iovec v = {b, 63};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = room};
    int n = recvmsg(s, &m, flags), count = 0;
    printf("%d <%s> flags %x control %d\n", n, b, m.msg_flags & ~MSG_CMSG_CLOEXEC, (int)m.msg_controllen);
    for (struct cmsghdr *h = n < 0 ? 0 : CMSG_FIRSTHDR(&m); h; h = CMSG_NXTHDR(&m, h)) {
        printf("  level %d type %d size %d\n", h->cmsg_level, h->cmsg_type, (int)h->cmsg_len);
        if (h->cmsg_type == SCM_RIGHTS) { count = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int); memcpy(fds, CMSG_DATA(h), count * sizeof(int)); }
        if (h->cmsg_type == SCM_CREDENTIALS) { struct ucred *c = (void *)CMSG_DATA(h); printf("  mine %d %d\n", c->pid == getpid(), c->uid == getuid()); }
    }
    return count;
}
static void rights(void) {
    for (int t = 0; t < 2; t++) {
        int p[2], q[2], fds[8];
        char b[16] = "";
        socketpair(AF_UNIX, t ? SOCK_DGRAM : SOCK_STREAM, 0, p);
        pipe(q);
        send(p[0], "before ", 7, 0);
        SHOW(pass(p[0], q, 2, "files"));
        send(p[0], " behind", 7, 0);
        close(q[0]); close(q[1]);
        for (int i = 0; i < (t ? 3 : 2); i++) {
            int n = take(p[1], fds, 200, MSG_CMSG_CLOEXEC);
            if (n) {
                SHOW(fcntl(fds[0], F_GETFD));
                write(fds[1], "through", 7); read(fds[0], b, 7); printf("%s\n", b);
                close(fds[1]); SHOW(read(fds[0], b, 7)); close(fds[0]);
            }
        }
        pipe(q);
        pass(p[0], q, 2, "cut");
        close(q[1]);
        printf("%d\n", take(p[1], fds, CMSG_LEN(sizeof(int)), 0));
        close(fds[0]);
        SHOW(read(q[0], b, 1));
        pipe(q);
        pass(p[0], q + 1, 1, "dropped");
        close(q[1]);
        close(p[1]);
        SHOW(read(q[0], b, 1));
        int bad[1] = {77};
        SHOW(pass(p[0], bad, 1, "bad"));
        socketpair(AF_UNIX, t ? SOCK_DGRAM : SOCK_STREAM, 0, p);
        int one = 1;
        SHOW(setsockopt(p[1], SOL_SOCKET, SO_PASSCRED, &one, sizeof one));
        send(p[0], "who", 3, 0);
        take(p[1], fds, 200, 0);
    }
    int p[2], inner[2];
    socketpair(AF_UNIX, SOCK_STREAM, 0, p);
    if (!fork()) { int fd; take(p[1], &fd, 200, 0); write(fd, "from the child", 14); exit(0); }
    pipe(inner);
    pass(p[0], inner + 1, 1, "x");
    close(inner[1]);
    char b[32] = "";
    wait(0);
    SHOW(read(inner[0], b, 31)); printf("%s\n", b);
    SHOW(read(inner[0], b, 31));
}
static int asked(int s, int events) {
    struct pollfd p = {s, events};
    poll(&p, 1, 0);
    return p.revents;
}
static void polling(void) {
    int all = POLLIN | POLLOUT | POLLRDHUP | POLLPRI;
    int port, s = server(SOCK_STREAM, &port), c = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), p[2];
    struct sockaddr_in a = at("127.0.0.1", port);
    printf("fresh %x listening %x\n", asked(c, all), asked(s, all));
    SHOW(connect(c, A(a)));
    struct pollfd w = {c, POLLOUT};
    SHOW(poll(&w, 1, 1000));
    int error = 5; socklen_t n = sizeof error;
    SHOW(getsockopt(c, SOL_SOCKET, SO_ERROR, &error, &n)); printf("%d\n", error);
    SHOW(connect(c, A(a)));
    SHOW(connect(c, A(a)));
    printf("listening %x connected %x\n", asked(s, all), asked(c, all));
    fcntl(s, F_SETFL, O_NONBLOCK);
    int d = accept(s, 0, 0);
    SHOW(accept(s, 0, 0));
    write(d, "x", 1); usleep(1000);
    printf("data %x\n", asked(c, all));
    shutdown(d, SHUT_WR); usleep(1000);
    printf("shut %x other %x\n", asked(c, all), asked(d, all));
    char b[4]; SHOW(read(c, b, 4)); SHOW(read(c, b, 4));
    shutdown(c, SHUT_WR); usleep(1000);
    printf("both %x other %x\n", asked(c, all), asked(d, all));
    close(d); close(c); close(s);
    c = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    SHOW(connect(c, A(a)));
    w.fd = c; SHOW(poll(&w, 1, 1000)); printf("%x\n", w.revents);
    getsockopt(c, SOL_SOCKET, SO_ERROR, &error, &n); printf("%d\n", error == ECONNREFUSED);
    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, p);
    printf("pair %x\n", asked(p[0], all));
    static char big[65536];
    while (send(p[0], big, sizeof big, 0) > 0);
    printf("full %x other %x\n", asked(p[0], all), asked(p[1], all));
    shutdown(p[1], SHUT_RD); printf("shut %x %x\n", asked(p[0], all), asked(p[1], all));
    close(p[1]); printf("gone %x\n", asked(p[0], all));
    int e = epoll_create1(0);
    socketpair(AF_UNIX, SOCK_STREAM, 0, p);
    struct epoll_event v = {EPOLLIN | EPOLLET | EPOLLRDHUP, {.u32 = 7}}, got[4];
    SHOW(epoll_ctl(e, EPOLL_CTL_ADD, p[1], &v));
    SHOW(epoll_wait(e, got, 4, 0));
    send(p[0], "a", 1, 0); SHOW(epoll_wait(e, got, 4, -1)); printf("%x %d\n", got[0].events, got[0].data.u32);
    SHOW(epoll_wait(e, got, 4, 0));
    send(p[0], "b", 1, 0); SHOW(epoll_wait(e, got, 4, 10)); SHOW(epoll_wait(e, got, 4, 10));
    close(p[0]); SHOW(epoll_wait(e, got, 4, 10)); printf("%x\n", got[0].events);
    fd_set r; FD_ZERO(&r); FD_SET(p[1], &r);
    SHOW(select(p[1] + 1, &r, 0, 0, 0));
    int u = socket(AF_UNIX, SOCK_STREAM, 0), dg = socket(AF_INET, SOCK_DGRAM, 0);
    printf("fresh %x %x\n", asked(u, all), asked(dg, all));
}
static void event_loop(void) {
    int port, s = server(SOCK_STREAM, &port), e = epoll_create1(0), open = 0, served = 0;
    fcntl(s, F_SETFL, O_NONBLOCK);
    for (int i = 0; i < 5; i++) if (!fork()) { int c = client(port); char b[32]; int n = sprintf(b, "child %d", i); write(c, b, n);
        int got = recv(c, b, n, MSG_WAITALL); exit(got == n ? 0 : 1); }
    struct epoll_event v = {EPOLLIN, {.fd = s}}, got[8];
    epoll_ctl(e, EPOLL_CTL_ADD, s, &v);
    while (served < 5) {
        int n = epoll_wait(e, got, 8, -1);
        for (int i = 0; i < n; i++) {
            int c = got[i].data.fd;
            if (c == s) { while ((c = accept4(s, 0, 0, SOCK_NONBLOCK)) >= 0) { v.data.fd = c; epoll_ctl(e, EPOLL_CTL_ADD, c, &v); open++; } continue; }
            char b[64]; int k = read(c, b, 64);
            if (k > 0) write(c, b, k); else { close(c); served++; }
        }
    }
    int good = 0, status;
    for (int i = 0; i < 5; i++) { wait(&status); good += status == 0; }
    printf("%d connections, %d good\n", open, good);
}
static int option(int s, int level, int name) { int v = -1; socklen_t n = sizeof v; return getsockopt(s, level, name, &v, &n) ? -errno : v; }
static void options(void) {
    int s = socket(AF_INET, SOCK_STREAM, 0), u = socket(AF_INET, SOCK_DGRAM, 0), l = socket(AF_UNIX, SOCK_SEQPACKET, 0), one = 1, six = socket(AF_INET6, SOCK_STREAM, 0);
    int names[] = {SO_TYPE, SO_ERROR, SO_REUSEADDR, SO_KEEPALIVE, SO_BROADCAST, SO_ACCEPTCONN, SO_PROTOCOL, SO_DOMAIN, SO_RCVLOWAT, SO_REUSEPORT, SO_OOBINLINE};
    for (int i = 0; i < 11; i++) printf("%d %d %d %d\n", names[i], option(s, SOL_SOCKET, names[i]), option(u, SOL_SOCKET, names[i]), option(l, SOL_SOCKET, names[i]));
    SHOW(setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one)); printf("%d\n", option(s, IPPROTO_TCP, TCP_NODELAY));
    SHOW(setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, 1));
    SHOW(setsockopt(s, SOL_SOCKET, SO_TYPE, &one, sizeof one));
    SHOW(setsockopt(s, SOL_SOCKET, 7777, &one, sizeof one));
    SHOW(setsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one));
    SHOW(setsockopt(six, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one)); printf("%d\n", option(six, IPPROTO_IPV6, IPV6_V6ONLY));
    SHOW(setsockopt(l, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one));
    one = 10000; SHOW(setsockopt(u, SOL_SOCKET, SO_RCVBUF, &one, sizeof one)); printf("%d\n", option(u, SOL_SOCKET, SO_RCVBUF));
    one = 1; SHOW(setsockopt(u, SOL_SOCKET, SO_SNDBUF, &one, sizeof one)); printf("%d\n", option(u, SOL_SOCKET, SO_SNDBUF));
    printf("%d %d\n", option(s, IPPROTO_IP, IP_TTL), option(s, IPPROTO_TCP, TCP_KEEPIDLE));
    struct linger g = {1, 5}; socklen_t n = sizeof g;
    SHOW(setsockopt(s, SOL_SOCKET, SO_LINGER, &g, sizeof g)); g.l_linger = 0;
    SHOW(getsockopt(s, SOL_SOCKET, SO_LINGER, &g, &n)); printf("%d %d\n", g.l_onoff, g.l_linger);
    struct timeval t = {0, 2000000};
    SHOW(setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof t));
    n = 2; short small; SHOW(getsockopt(s, SOL_SOCKET, SO_TYPE, &small, &n)); printf("%d %d\n", small, n);
    listen(s, 1); printf("%d\n", option(s, SOL_SOCKET, SO_ACCEPTCONN));
}
static void reset(void) {
    int port, s = server(SOCK_STREAM, &port), c = client(port), d = accept(s, 0, 0);
    char b[8];
    write(c, "unread", 6); usleep(1000);
    write(d, "left", 4); usleep(1000);
    close(d); usleep(1000);
    SHOW(read(c, b, 8)); SHOW(read(c, b, 8)); SHOW(read(c, b, 8));
    SHOW(send(c, "x", 1, MSG_NOSIGNAL));
    c = client(port); d = accept(s, 0, 0);
    close(d); usleep(1000);
    SHOW(send(c, "x", 1, MSG_NOSIGNAL)); usleep(1000);
    SHOW(send(c, "x", 1, MSG_NOSIGNAL));
    SHOW(read(c, b, 8));
    c = client(port);
    close(s); usleep(1000);
    SHOW(read(c, b, 8)); SHOW(read(c, b, 8));
}
static void outside(void) { /* never run natively */
    struct sockaddr_in a = at("192.0.2.1", 80);
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(80)};
    inet_pton(AF_INET6, "2001:db8::1", &six.sin6_addr);
    int s = socket(AF_INET, SOCK_STREAM, 0), u = socket(AF_INET, SOCK_DGRAM, 0), t = socket(AF_INET6, SOCK_STREAM, 0);
    SHOW(connect(s, A(a)));
    SHOW(connect(t, A(six)));
    SHOW(connect(u, A(a)));
    SHOW(sendto(u, "x", 1, 0, A(a)));
    SHOW(bind(s, A(a)));
    SHOW(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
    SHOW(socket(AF_PACKET, SOCK_RAW, 0));
    SHOW(socket(AF_NETLINK, SOCK_RAW, 9));
}
static void listed(const char *name) { // by AF_NETLINK
    struct ifaddrs *first, *row;
    SHOW(getifaddrs(&first));
    for (row = first; row; row = row->ifa_next) if (row->ifa_addr && !strcmp(row->ifa_name, name)) {
        char text[64] = "", mask[64] = "";
        int family = row->ifa_addr->sa_family, at = family == AF_INET ? 4 : 8;
        if (family != AF_PACKET) inet_ntop(family, (char *)row->ifa_addr + at, text, 64), inet_ntop(family, (char *)row->ifa_netmask + at, mask, 64);
        printf("%s %d %x %s %s\n", row->ifa_name, family, row->ifa_flags, text, mask);
    }
    SHOW(if_nametoindex(name));
    int s = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK, 0);
    struct sockaddr_nl own = {AF_NETLINK}, told;
    socklen_t size = sizeof told;
    SHOW(getsockname(s, A(own)) == 0 ? 0 : -1); SHOW(bind(s, A(own))); SHOW(getsockname(s, (void *)&told, &size)); SHOW(told.nl_pid == getpid()); SHOW(size);
    SHOW(recv(s, &told, 100, 0));
    struct { struct nlmsghdr head; char body[16]; } asks = {{32, 12345, NLM_F_REQUEST, 7, 0}}, reply;
    SHOW(send(s, &asks, 32, 0)); SHOW(recv(s, &reply, sizeof reply, 0) > 0); SHOW(reply.head.nlmsg_type); SHOW(reply.head.nlmsg_seq); SHOW(*(int *)reply.body);
    SHOW(send(s, &asks, 5, 0)); SHOW(recv(s, &reply, sizeof reply, 0)); SHOW(socket(AF_NETLINK, SOCK_STREAM, 0));
}
static void interfaces(void) {
    int sockets[] = {socket(AF_INET, SOCK_DGRAM, 0), socket(AF_UNIX, SOCK_STREAM, 0)};
    int requests[] = {
        SIOCGIFFLAGS, SIOCGIFADDR, SIOCGIFDSTADDR, SIOCGIFBRDADDR, SIOCGIFNETMASK, SIOCGIFMETRIC, SIOCGIFMTU, SIOCGIFHWADDR, SIOCGIFINDEX,
        SIOCGIFTXQLEN, SIOCGIFMAP,
    };
    const char *names[] = {"lo", "missing"};
    for (int who = 0; who < 4; who++) for (int i = 0; i < 11; i++) {
        struct ifreq row = {0};
        strcpy(row.ifr_name, names[who / 2]);
        SHOW(ioctl(sockets[who % 2], requests[i], &row));
        for (unsigned at = 0; at < sizeof row; at++) printf("%02x", ((unsigned char *)&row)[at]);
        puts("");
    }
    listed("lo");
    struct ifreq row = {0}, rows[8] = {0};
    row.ifr_ifindex = 1; SHOW(ioctl(sockets[0], SIOCGIFNAME, &row)); puts(row.ifr_name);
    row.ifr_ifindex = 999; SHOW(ioctl(sockets[0], SIOCGIFNAME, &row));
    struct ifconf all = {sizeof rows, {(char *)rows}};
    SHOW(ioctl(sockets[0], SIOCGIFCONF, &all)); puts(rows[0].ifr_name); puts(inet_ntoa(((struct sockaddr_in *)&rows[0].ifr_addr)->sin_addr));
    all.ifc_len = 39; SHOW(ioctl(sockets[0], SIOCGIFCONF, &all)); SHOW(all.ifc_len); SHOW(ioctl(0, SIOCGIFCONF, &all)); SHOW(ioctl(sockets[0], SIOCGIFFLAGS, 8));
}
static void addresses(void) {
    struct ifreq rows[8] = {0};
    struct ifconf all = {sizeof rows, {(char *)rows}};
    int s = socket(AF_INET, SOCK_DGRAM, 0);
    ioctl(s, SIOCGIFCONF, &all);
    for (int i = 0; i < all.ifc_len / (int)sizeof *rows; i++) {
        printf("%s %s ", rows[i].ifr_name, inet_ntoa(((struct sockaddr_in *)&rows[i].ifr_addr)->sin_addr));
        ioctl(s, SIOCGIFHWADDR, rows + i);
        for (int at = 0; at < 6; at++) printf("%02x", (unsigned char)rows[i].ifr_hwaddr.sa_data[at]);
        puts("");
    }
    const char *files[] = {"/proc/net/dev", "/proc/net/route", "/proc/net/if_inet6"};
    for (int i = 0; i < 3; i++) { char text[2000]; int size = read(open(files[i], O_RDONLY), text, 2000); for (int at = 0; at < size; at++) if (text[at] == '\n') text[at] = i ? ';' : '|'; printf("%.*s\n", size, text); }
    listed("eth0");
    ioctl(s, SIOCSIFFLAGS, rows); puts(strerrorname_np(errno));
}
static void hoarding(void) {
    static char big[60000];
    for (int i = 0; i < 1000; i++) {
        int p[2];
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, p)) { puts("no pair"); return; }
        while (send(p[0], big, sizeof big, 0) > 0);
        if (errno != EAGAIN) { puts(strerrorname_np(errno)); return; }
    }
}
int main(int argc, char **argv) {
    setvbuf(stdout, 0, _IONBF, 0);
    struct { const char *name; void (*body)(void); } rows[] = {
#define ROW(name) {#name, name}
        ROW(forked), ROW(threaded), ROW(bulk), ROW(pairs), ROW(pipe_signal), ROW(refused), ROW(in_use), ROW(names), ROW(datagrams),
        ROW(local_names), ROW(rights), ROW(polling), ROW(event_loop), ROW(options), ROW(reset), ROW(outside), ROW(hoarding), ROW(interfaces), ROW(addresses),
    };
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) if (argc > 1 && !strcmp(rows[i].name, argv[1])) { rows[i].body(); return 0; }
    return 99;
}
