/* Sockets: stream, datagram, UNIX, options, messages with descriptors. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#define E(x) do { errno = 0; long r_ = (long)(x); printf("%s = %ld errno %d\n", #x, r_, errno); } while (0)
int main(void) {
    char b[70000]; int sv[2], n; socklen_t len; signal(SIGPIPE, SIG_IGN); setvbuf(stdout, 0, _IONBF, 0);
    int s = socket(AF_INET, SOCK_STREAM, 0); struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}}, x; int one = 1; E(setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, 4)); E(bind(s, (void *)&a, sizeof a)); len = sizeof a; E(getsockname(s, (void *)&a, &len)); E(len); E(listen(s, 5));
    if (!fork()) { int c = socket(AF_INET, SOCK_STREAM, 0); if (connect(c, (void *)&a, sizeof a)) _exit(1); write(c, "ping", 4); n = read(c, b, 100); if (n != 5 || memcmp(b, "pong", 4)) _exit(2); memset(b, 'z', sizeof b); for (n = 0; n < 20; n++) send(c, b, sizeof b, 0); shutdown(c, SHUT_WR); _exit(0); }
    len = sizeof x; int c = accept(s, (void *)&x, &len); E(c > 0); E(x.sin_addr.s_addr == htonl(INADDR_LOOPBACK)); E(recv(c, b, 100, 0)); E(memcmp(b, "ping", 4)); E(send(c, "pong\n", 5, 0)); long total = 0; while ((n = recv(c, b, sizeof b, 0)) > 0) total += n; E(total); wait(0); E(setsockopt(c, IPPROTO_TCP, TCP_NODELAY, &one, 4)); len = 4; E(getsockopt(c, SOL_SOCKET, SO_TYPE, &n, &len)); E(n);
    struct timeval tv = {0, 20000}, tg; E(setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv)); len = sizeof tg; E(getsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &tg, &len)); E(tg.tv_usec >= 20000 && tg.tv_usec <= 24000); E(accept(s, 0, 0)); fcntl(s, F_SETFL, O_NONBLOCK); E(accept(s, 0, 0)); close(c);
    E(socketpair(AF_UNIX, SOCK_STREAM, 0, sv)); E(send(sv[0], "abc", 3, 0)); E(recv(sv[1], b, 2, MSG_PEEK)); E(recv(sv[1], b, 10, 0)); E(recv(sv[1], b, 10, MSG_DONTWAIT)); int p[2]; pipe(p);
    struct iovec io = {"data", 4}; char cb[CMSG_SPACE(8)]; struct msghdr m = {.msg_iov = &io, .msg_iovlen = 1, .msg_control = cb, .msg_controllen = sizeof cb}; struct cmsghdr *h = CMSG_FIRSTHDR(&m); h->cmsg_level = SOL_SOCKET; h->cmsg_type = SCM_RIGHTS; h->cmsg_len = CMSG_LEN(8); memcpy(CMSG_DATA(h), p, 8); E(sendmsg(sv[0], &m, 0));
    struct iovec io2 = {b, 100}; char cb2[100]; struct msghdr m2 = {.msg_iov = &io2, .msg_iovlen = 1, .msg_control = cb2, .msg_controllen = 100}; E(recvmsg(sv[1], &m2, MSG_CMSG_CLOEXEC)); h = CMSG_FIRSTHDR(&m2); E(h->cmsg_len == CMSG_LEN(8)); int q[2]; memcpy(q, CMSG_DATA(h), 8); E(q[0] != p[0]); write(q[1], "thru", 4); E(read(p[0], b, 4)); E(fcntl(q[0], F_GETFD)); E(m2.msg_controllen);
    close(sv[1]); E(send(sv[0], "x", 1, 0)); E(send(sv[0], "x", 1, MSG_NOSIGNAL)); struct sockaddr_un u = {AF_UNIX, "sock"}; unlink("sock"); int us = socket(AF_UNIX, SOCK_DGRAM, 0), uc = socket(AF_UNIX, SOCK_DGRAM, 0); E(bind(us, (void *)&u, sizeof u)); E(sendto(uc, "dgram", 5, 0, (void *)&u, sizeof u)); struct sockaddr_un from; len = sizeof from; E(recvfrom(us, b, 100, 0, (void *)&from, &len)); E(len); E(connect(uc, (void *)&u, sizeof u)); E(send(uc, "1", 1, 0)); E(ioctl(us, FIONREAD, &n)); E(n); unlink("sock"); E(connect(uc, (void *)&u, sizeof u));
    struct mmsghdr mm[2]; memset(mm, 0, sizeof mm); struct iovec i1 = {"A", 1}, i2 = {"BB", 2}; socketpair(AF_UNIX, SOCK_DGRAM, 0, sv); mm[0].msg_hdr.msg_iov = &i1; mm[0].msg_hdr.msg_iovlen = 1; mm[1].msg_hdr.msg_iov = &i2; mm[1].msg_hdr.msg_iovlen = 1; E(sendmmsg(sv[0], mm, 2, 0)); struct iovec j1 = {b, 5}, j2 = {b + 10, 5}; mm[0].msg_hdr.msg_iov = &j1; mm[1].msg_hdr.msg_iov = &j2; E(recvmmsg(sv[1], mm, 2, 0, 0)); E(mm[1].msg_len);
    E(connect(socket(AF_INET, SOCK_STREAM, 0), (void *)1, 16)); E(bind(99, (void *)&a, 16)); E(socket(999, 1, 0)); E(getpeername(s, (void *)&a, &len)); E(listen(p[0], 1)); E(send(p[0], "", 1, 0)); a.sin_port = htons(1); E(connect(socket(AF_INET, SOCK_STREAM, 0), (void *)&a, sizeof a)); E(shutdown(s, 9)); E(recv(sv[0], (void *)1, 10, MSG_DONTWAIT)); struct ucred uc2; len = sizeof uc2; E(getsockopt(sv[0], SOL_SOCKET, SO_PEERCRED, &uc2, &len)); E(uc2.pid == getpid());
    return 0;
}
