/* What the kernel and programs tell each other in structs, field by field: sets of bits, messages and their control data, addresses,
   socket options, netlink, inotify, directories, statuses, offsets above 4 GiB, System V objects, terminals, futexes between processes,
   auxiliary vector. Every value is one that would look wrong in another byte order or at another place. */
#define _GNU_SOURCE
#define _FILE_OFFSET_BITS 64
#include <arpa/inet.h>
#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <linux/futex.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/sendfile.h>
#include <sys/shm.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>
#define E(x) do { errno = 0; long long r_ = (long long)(x); printf("%s = %lld errno %d\n", #x, r_, r_ == -1 ? errno : 0); } while (0)
#define BIG 0x140000123LL                          /* an offset above 4 GiB */

static volatile siginfo_t last;
static void keep(int number, siginfo_t *info, void *context) { (void)number; (void)context; last = *info; }

static void sets(void) {
    sigset_t set, old;
    unsigned long words[64 / (8 * sizeof(long))];
    sigemptyset(&set); sigaddset(&set, SIGUSR1); sigaddset(&set, SIGRTMIN + 6); sigaddset(&set, 33 + 31);
    E(sigprocmask(SIG_SETMASK, &set, 0));
    E(syscall(SYS_rt_sigprocmask, SIG_BLOCK, 0, words, 8));
    for (int n = 1; n <= 64; n++)
        if (words[(n - 1) / (8 * sizeof(long))] >> (n - 1) % (8 * sizeof(long)) & 1) printf("blocked %d\n", n);
    raise(SIGUSR1); union sigval value = {.sival_int = 0x01020304}; sigqueue(getpid(), SIGRTMIN + 6, value);
    sigpending(&old); E(sigismember(&old, SIGUSR1)); E(sigismember(&old, SIGRTMIN + 6)); E(sigismember(&old, SIGUSR2));
    int fd = signalfd(-1, &set, SFD_NONBLOCK); struct signalfd_siginfo info[3]; E(read(fd, info, sizeof info) / sizeof *info);
    printf("%u %x %d %u\n", info[0].ssi_signo, info[1].ssi_int, info[1].ssi_code, info[1].ssi_pid == getpid() && info[1].ssi_uid == getuid());
    struct sigaction action = {.sa_sigaction = keep, .sa_flags = SA_SIGINFO | SA_RESTART}, was;
    sigemptyset(&action.sa_mask); sigaddset(&action.sa_mask, SIGRTMIN + 2); E(sigaction(SIGRTMIN + 6, &action, 0)); E(sigaction(SIGRTMIN + 6, 0, &was));
    E(sigismember(&was.sa_mask, SIGRTMIN + 2)); E(sigismember(&was.sa_mask, SIGHUP)); E(was.sa_sigaction == keep); printf("flags %x\n", was.sa_flags & 0x7fffffff & ~0x04000000);
    sigqueue(getpid(), SIGRTMIN + 6, value); sigemptyset(&set); sigprocmask(SIG_SETMASK, &set, 0);
    printf("%d %d %x %d %d\n", last.si_signo - SIGRTMIN, last.si_code, last.si_value.sival_int, last.si_pid == getpid(), last.si_uid == getuid());
    int p[2]; pipe(p); dup2(p[0], 45); dup2(p[1], 70); fd_set r, w; FD_ZERO(&r); FD_ZERO(&w); FD_SET(45, &r); FD_SET(70, &w);
    E(select(71, &r, &w, 0, &(struct timeval){0, 0})); E(FD_ISSET(45, &r)); E(FD_ISSET(70, &w)); write(p[1], "x", 1); FD_ZERO(&r); FD_SET(45, &r);
    struct timeval left = {5, 0}; E(select(71, &r, 0, 0, &left)); E(FD_ISSET(45, &r)); E(left.tv_sec >= 4);
    cpu_set_t cpus; CPU_ZERO(&cpus); E(sched_getaffinity(0, sizeof cpus, &cpus)); E(CPU_COUNT(&cpus) >= 1);
}

static void messages(void) {
    int pair[2], p[2]; E(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair)); pipe(p);
    E(setsockopt(pair[1], SOL_SOCKET, SO_PASSCRED, &(int){1}, 4));
    char text[3][4] = {"abc", "defg", "hi"}, control[256] = {0}, back[20] = {0};
    struct iovec parts[3] = {{text[0], 3}, {text[1], 4}, {text[2], 2}}, all = {back, sizeof back};
    struct msghdr out = {.msg_iov = parts, .msg_iovlen = 3, .msg_control = control, .msg_controllen = CMSG_SPACE(8)}, in = {.msg_iov = &all, .msg_iovlen = 1};
    struct cmsghdr *c = CMSG_FIRSTHDR(&out); c->cmsg_level = SOL_SOCKET; c->cmsg_type = SCM_RIGHTS; c->cmsg_len = CMSG_LEN(8); memcpy(CMSG_DATA(c), p, 8);
    E(sendmsg(pair[0], &out, 0)); char space[256]; in.msg_control = space; in.msg_controllen = sizeof space; E(recvmsg(pair[1], &in, 0)); puts(back);
    printf("flags %x\n", in.msg_flags);
    for (c = CMSG_FIRSTHDR(&in); c; c = CMSG_NXTHDR(&in, c)) {
        printf("control %d %d %d\n", c->cmsg_level, c->cmsg_type, (int)(c->cmsg_len - CMSG_LEN(0)));
        if (c->cmsg_type == SCM_RIGHTS) { int got[2]; memcpy(got, CMSG_DATA(c), 8); E(write(got[1], "via", 3)); char b[4] = {0}; E(read(got[0], b, 3)); puts(b); }
        if (c->cmsg_type == SCM_CREDENTIALS) { struct ucred who; memcpy(&who, CMSG_DATA(c), sizeof who); E(who.pid == getpid() && who.uid == getuid() && who.gid == getgid()); }
    }
    struct mmsghdr many[2] = {{.msg_hdr = {.msg_iov = parts, .msg_iovlen = 1}}, {.msg_hdr = {.msg_iov = parts + 1, .msg_iovlen = 1}}};
    E(sendmmsg(pair[0], many, 2, 0)); printf("%u %u\n", many[0].msg_len, many[1].msg_len); E(recv(pair[1], back, 20, 0)); E(recv(pair[1], back, 20, 0));
    struct ucred peer; socklen_t size = sizeof peer; E(getsockopt(pair[0], SOL_SOCKET, SO_PEERCRED, &peer, &size)); E(peer.pid == getpid() && size == 12);
}

static void addresses(void) {
    int a = socket(AF_INET, SOCK_DGRAM, 0), b = socket(AF_INET, SOCK_DGRAM, 0); socklen_t size = sizeof(struct sockaddr_in);
    struct sockaddr_in me = {.sin_family = AF_INET, .sin_addr = {htonl(0x7f000001)}}, other;
    E(bind(a, (void *)&me, size)); E(getsockname(a, (void *)&me, &size)); printf("%d %d %s %d\n", me.sin_family, size, inet_ntoa(me.sin_addr), me.sin_port != 0);
    E(setsockopt(a, IPPROTO_IP, IP_PKTINFO, &(int){1}, 4)); E(setsockopt(a, IPPROTO_IP, IP_RECVTTL, &(int){1}, 4)); E(setsockopt(b, IPPROTO_IP, IP_TTL, &(int){77}, 4));
    E(sendto(b, "datagram", 8, 0, (void *)&me, size)); char data[16], space[256]; struct iovec one = {data, sizeof data};
    struct msghdr in = {.msg_name = &other, .msg_namelen = sizeof other, .msg_iov = &one, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof space};
    E(recvmsg(a, &in, 0)); printf("%d %d %s\n", other.sin_family, in.msg_namelen, inet_ntoa(other.sin_addr));
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&in); c; c = CMSG_NXTHDR(&in, c)) {
        if (c->cmsg_type == IP_PKTINFO) { struct in_pktinfo info; memcpy(&info, CMSG_DATA(c), sizeof info); printf("pktinfo %d %s\n", info.ipi_ifindex == if_nametoindex("lo"), inet_ntoa(info.ipi_addr)); }
        if (c->cmsg_type == IP_TTL) { int ttl; memcpy(&ttl, CMSG_DATA(c), 4); printf("ttl %d\n", ttl); }
    }
    int value = 0; size = 4; E(getsockopt(b, IPPROTO_IP, IP_TTL, &value, &size)); printf("%d %d\n", value, size); E(getsockopt(b, SOL_SOCKET, SO_TYPE, &value, &size)); E(value);
    struct linger linger = {1, 9}; E(setsockopt(b, SOL_SOCKET, SO_LINGER, &linger, sizeof linger)); linger.l_linger = 0; size = sizeof linger; E(getsockopt(b, SOL_SOCKET, SO_LINGER, &linger, &size)); printf("%d %d %d\n", linger.l_onoff, linger.l_linger, size);
    struct timeval wait = {3, 120000}; E(setsockopt(b, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait)); memset(&wait, 0, sizeof wait); size = sizeof wait; E(getsockopt(b, SOL_SOCKET, SO_RCVTIMEO, &wait, &size)); printf("%d %d\n", (int)wait.tv_sec, (int)wait.tv_usec);
    int listener = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0); me.sin_port = 0; E(bind(listener, (void *)&me, sizeof me)); E(listen(listener, 3)); size = sizeof me; getsockname(listener, (void *)&me, &size);
    E(connect(client, (void *)&me, sizeof me)); size = sizeof other; int server = accept(listener, (void *)&other, &size); struct sockaddr_in mine; socklen_t length = sizeof mine; getsockname(client, (void *)&mine, &length); E(other.sin_port == mine.sin_port && other.sin_family == AF_INET && size == 16);
    E(setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &(int){1}, 4)); size = 4; E(getsockopt(client, IPPROTO_TCP, TCP_NODELAY, &value, &size)); E(value); E(write(server, "12345", 5)); struct pollfd f = {client, POLLIN, 0}; E(poll(&f, 1, 1000)); printf("%x\n", f.revents); E(ioctl(client, FIONREAD, &value)); E(value);
    char name[16] = {0}; size = sizeof name; E(getsockopt(client, IPPROTO_TCP, TCP_CONGESTION, name, &size)); E(strlen(name) > 2);
    struct sockaddr_un path = {AF_UNIX, "socket-of-structs"}, got; int u = socket(AF_UNIX, SOCK_STREAM, 0); E(bind(u, (void *)&path, sizeof path)); size = sizeof got; E(getsockname(u, (void *)&got, &size)); printf("%d %s\n", got.sun_family, got.sun_path); unlink(path.sun_path);
}

static void interfaces(void) {
    struct ifreq request = {.ifr_name = "lo"}; int s = socket(AF_INET, SOCK_DGRAM, 0); unsigned index = if_nametoindex("lo");
    E(ioctl(s, SIOCGIFMTU, &request)); int mtu = request.ifr_mtu; E(ioctl(s, SIOCGIFFLAGS, &request)); E(request.ifr_flags & IFF_LOOPBACK); E(ioctl(s, SIOCGIFADDR, &request)); struct sockaddr_in *address = (void *)&request.ifr_addr; printf("%d %s\n", address->sin_family, inet_ntoa(address->sin_addr));
    char name[IF_NAMESIZE] = ""; E(if_indextoname(index, name) != 0); puts(name);
    struct ifaddrs *list = 0; E(getifaddrs(&list));
    for (struct ifaddrs *i = list; i; i = i->ifa_next)
        if (!strcmp(i->ifa_name, "lo") && i->ifa_addr && i->ifa_addr->sa_family == AF_INET) printf("lo %s %d\n", inet_ntoa(((struct sockaddr_in *)i->ifa_addr)->sin_addr), !!(i->ifa_flags & IFF_LOOPBACK));
    int n = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE); struct sockaddr_nl kernel = {.nl_family = AF_NETLINK}, from; socklen_t size = sizeof from; E(bind(n, (void *)&kernel, sizeof kernel)); E(getsockname(n, (void *)&from, &size)); printf("%d %d %d\n", from.nl_family, from.nl_pid != 0, size);
    struct { struct nlmsghdr head; struct ifinfomsg info; } ask = {{sizeof ask, RTM_GETLINK, NLM_F_REQUEST, 0x01020304, 0}, {AF_UNSPEC, .ifi_index = index}}; E(sendto(n, &ask, sizeof ask, 0, (void *)&kernel, sizeof kernel));
    static char answer[16384]; int got = recv(n, answer, sizeof answer, 0); struct nlmsghdr *head = (void *)answer; E(NLMSG_OK(head, got)); printf("%d %x\n", head->nlmsg_type, head->nlmsg_seq); struct ifinfomsg *info = NLMSG_DATA(head); E(info->ifi_index == index && info->ifi_type == 772);
    int rest = head->nlmsg_len - NLMSG_LENGTH(sizeof *info); for (struct rtattr *a = IFLA_RTA(info); RTA_OK(a, rest); a = RTA_NEXT(a, rest)) { if (a->rta_type == IFLA_IFNAME) puts(RTA_DATA(a)); if (a->rta_type == IFLA_MTU) E(*(int *)RTA_DATA(a) == mtu); }
    ask.head.nlmsg_type = 0x7ff0; E(send(n, &ask, sizeof ask, 0)); got = recv(n, answer, sizeof answer, MSG_DONTWAIT); struct nlmsgerr *error = NLMSG_DATA(head); printf("%d %d %x\n", head->nlmsg_type, error->error, error->msg.nlmsg_type);
}

static void files(void) {
    mkdir("structs-dir", 0755); int watch = inotify_init(), w = inotify_add_watch(watch, "structs-dir", IN_CREATE | IN_DELETE); char events[512];
    int fd = open("structs-dir/first", O_RDWR | O_CREAT | O_TRUNC, 0640); int got = read(watch, events, sizeof events); struct inotify_event *event = (void *)events; printf("%d %x %d %s\n", event->wd == w, event->mask, event->len, event->name); E(got == sizeof *event + event->len);
    close(open("structs-dir/second-longer-name", O_RDWR | O_CREAT, 0600)); close(open("structs-dir/third", O_RDWR | O_CREAT, 0600)); E(ioctl(watch, FIONREAD, &got)); E(read(watch, events, sizeof events) == got); event = (void *)events; printf("%s\n", event->name); event = (void *)(events + sizeof *event + event->len); printf("%x %s\n", event->mask, event->name);
    E(pwrite(fd, "far", 3, BIG)); E(lseek(fd, 0, SEEK_END)); E(lseek(fd, BIG, SEEK_SET)); char b[8] = {0}; E(read(fd, b, 8)); puts(b); struct iovec v = {b, 2}; E(preadv(fd, &v, 1, BIG + 1)); puts(b); E(pwritev(fd, &v, 1, BIG + 0x100000000LL)); E(ftruncate(fd, BIG + 5)); E(fallocate(fd, 1, BIG, 8192));
    E(posix_fadvise(fd, BIG, BIG, POSIX_FADV_DONTNEED)); E(sync_file_range(fd, BIG, 100, SYNC_FILE_RANGE_WRITE)); E(readahead(fd, BIG, 4096)); E(posix_fallocate(fd, BIG + 8, 8)); E(truncate("structs-dir/first", BIG + 77)); E(truncate("structs-dir/first", -1));
    char *map = mmap(0, 4096, PROT_READ, MAP_SHARED, fd, BIG & ~4095LL); E(map != MAP_FAILED); printf("%.3s\n", map + (BIG & 4095));
    int out = open("structs-dir/second-longer-name", O_RDWR); off_t from = BIG; E(sendfile(out, fd, &from, 3)); E(from - BIG); loff_t to = 1; from = BIG; E(copy_file_range(fd, &from, out, &to, 2, 0)); printf("%d %d\n", (int)(from - BIG), (int)to); E(pread(out, b, 8, 0)); printf("%.3s\n", b);
    struct timespec times[2] = {{0x12345678, 123456789}, {0x23456789, 987654321}}; E(futimens(fd, times)); struct stat s; struct statx x; E(fstat(fd, &s)); printf("%o %d %lld %lld %ld %lld %ld\n", s.st_mode, (int)s.st_nlink, (long long)s.st_size, (long long)s.st_atim.tv_sec, (long)s.st_atim.tv_nsec, (long long)s.st_mtim.tv_sec, (long)s.st_mtim.tv_nsec);
    E(statx(fd, "", AT_EMPTY_PATH, STATX_ALL, &x)); printf("%o %d %llu %lld %u %lld %u\n", x.stx_mode, x.stx_nlink, (unsigned long long)x.stx_size, (long long)x.stx_atime.tv_sec, x.stx_atime.tv_nsec, (long long)x.stx_mtime.tv_sec, x.stx_mtime.tv_nsec); E(x.stx_ino == s.st_ino && x.stx_uid == s.st_uid && x.stx_blocks == s.st_blocks && makedev(x.stx_dev_major, x.stx_dev_minor) == s.st_dev); E(s.st_blksize == x.stx_blksize);
    DIR *d = opendir("structs-dir"); int names = 0, same = 0; for (struct dirent *e; (e = readdir(d));) { names++; if (!strcmp(e->d_name, "first")) same = e->d_ino == s.st_ino && e->d_type == DT_REG; if (!strcmp(e->d_name, "third")) { long place = telldir(d); seekdir(d, place); } } printf("%d %d\n", names, same); closedir(d);
    struct statfs f; E(fstatfs(fd, &f)); E(f.f_bsize > 0 && f.f_blocks >= f.f_bfree && f.f_namelen == 255);
    struct flock lock = {F_WRLCK, SEEK_SET, BIG, 10}; E(fcntl(fd, F_SETLK, &lock)); if (!fork()) { lock.l_type = F_RDLCK; lock.l_start = BIG + 3; lock.l_len = 100; E(fcntl(fd, F_GETLK, &lock)); printf("%d %lld %lld %d\n", lock.l_type, (long long)lock.l_start - BIG, (long long)lock.l_len, lock.l_pid == getppid()); fflush(stdout); _exit(0x35); }
    int status; E(wait(&status) > 0); printf("%x\n", status); struct flock ofd = {F_RDLCK, SEEK_SET, BIG, 1}; E(fcntl(fd, F_OFD_SETLK, &ofd));
    int many[2]; E(pipe2(many, O_CLOEXEC)); E(many[1] - many[0]); E(fcntl(many[0], F_GETFD)); unlink("structs-dir/first"); unlink("structs-dir/second-longer-name"); unlink("structs-dir/third"); rmdir("structs-dir");
}

static void objects(void) {
    int shm = shmget(IPC_PRIVATE, 12345, 0640); struct shmid_ds m; int *at = shmat(shm, 0, 0); E(at != (void *)-1); at[1] = 0x01020304; E(shmctl(shm, IPC_STAT, &m)); printf("%d %d %o %d %d\n", (int)m.shm_segsz, (int)m.shm_nattch, m.shm_perm.mode, m.shm_cpid == getpid(), time(0) - m.shm_atime < 100 && m.shm_dtime == 0); E(m.shm_perm.uid == getuid() && m.shm_perm.cgid == getgid()); E(shmdt(at)); E(shmctl(shm, IPC_RMID, 0));
    int sem = semget(IPC_PRIVATE, 3, 0600); unsigned short values[3] = {1, 0x203, 9}, back[3]; struct semid_ds q; union { int val; struct semid_ds *buf; unsigned short *array; } arg = {.array = values}; E(semctl(sem, 0, SETALL, arg)); arg.array = back; E(semctl(sem, 0, GETALL, arg)); printf("%x %x %x\n", back[0], back[1], back[2]);
    struct sembuf op[2] = {{1, -0x201, 0}, {2, 4, SEM_UNDO}}; E(semop(sem, op, 2)); E(semctl(sem, 1, GETVAL)); E(semctl(sem, 2, GETVAL)); arg.val = 0x1234; E(semctl(sem, 0, SETVAL, arg)); E(semctl(sem, 0, GETVAL)); arg.buf = &q; E(semctl(sem, 0, IPC_STAT, arg)); printf("%d %o %d\n", (int)q.sem_nsems, q.sem_perm.mode, time(0) - q.sem_otime < 100); struct sembuf more = {1, -100, 0}; E(semtimedop(sem, &more, 1, &(struct timespec){0, 3000000})); E(semctl(sem, 0, IPC_RMID));
    int queue = msgget(IPC_PRIVATE, 0600); struct { long type; char text[8]; } out = {0x01020304, "message"}, in; E(msgsnd(queue, &out, 8, 0)); out.type = 5; E(msgsnd(queue, &out, 3, 0)); struct msqid_ds y; E(msgctl(queue, IPC_STAT, &y)); printf("%d %d %d\n", (int)y.msg_qnum, y.msg_lspid == getpid(), time(0) - y.msg_stime < 100); E(msgrcv(queue, &in, 8, 5, 0)); E(in.type); E(msgrcv(queue, &in, 8, 0, 0)); E(in.type); puts(in.text); E(msgrcv(queue, &in, 8, 0, IPC_NOWAIT)); E(msgctl(queue, IPC_RMID, 0));
}

static void terminal(void) {
    int master = posix_openpt(O_RDWR | O_NOCTTY); E(grantpt(master)); E(unlockpt(master)); int slave = open(ptsname(master), O_RDWR | O_NOCTTY); E(slave > master); struct termios t, u; E(isatty(slave)); E(tcgetattr(slave, &t));
    printf("%d %d %d %d\n", !!(t.c_iflag & ICRNL), !!(t.c_oflag & ONLCR), (t.c_cflag & CSIZE) == CS8, !!(t.c_lflag & ICANON) + !!(t.c_lflag & ECHO) + !!(t.c_lflag & ISIG)); printf("%d %d %d %d\n", t.c_cc[VINTR], t.c_cc[VEOF], t.c_cc[VMIN], t.c_cc[VSUSP]); printf("%d\n", cfgetospeed(&t) == B38400);
    write(slave, "a\n", 2); char b[32]; int n = read(master, b, 32); for (int i = 0; i < n; i++) printf("%02x ", b[i]); puts(""); write(master, "typed\r", 6); n = read(slave, b, 32); for (int i = 0; i < n; i++) printf("%02x ", b[i]); puts(""); n = read(master, b, 32); for (int i = 0; i < n; i++) printf("%02x ", b[i]); puts("");
    cfmakeraw(&t); t.c_cc[VMIN] = 3; t.c_cc[VTIME] = 7; cfsetspeed(&t, B9600); E(tcsetattr(slave, TCSANOW, &t)); E(tcgetattr(slave, &u)); printf("%d %d %d %d %d\n", u.c_cc[VMIN], u.c_cc[VTIME], cfgetospeed(&u) == B9600, u.c_lflag & (ICANON | ECHO | ISIG | IEXTEN), u.c_oflag & OPOST); E(t.c_iflag == u.c_iflag && t.c_oflag == u.c_oflag && t.c_lflag == u.c_lflag);
    struct winsize size = {24, 80, 640, 480}, seen; E(ioctl(master, TIOCSWINSZ, &size)); E(ioctl(slave, TIOCGWINSZ, &seen)); printf("%d %d %d %d\n", seen.ws_row, seen.ws_col, seen.ws_xpixel, seen.ws_ypixel); write(master, "raw\r", 4); int count = 0; for (int n = 0; n < 1000 && count < 4; n++) { ioctl(slave, FIONREAD, &count); usleep(1000); } E(count); E(tcflush(slave, TCIFLUSH)); E(ioctl(slave, FIONREAD, &count)); E(count); E(tcgetpgrp(slave)); E(tcdrain(slave)); close(slave); close(master);
}

static int futex(volatile unsigned *word, int what, unsigned value, void *time, volatile unsigned *second, unsigned third) {
#ifdef SYS_futex
    return syscall(SYS_futex, word, what, value, time, second, third);
#endif
}

static void words(void) {
    volatile unsigned *shared = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0); shared[0] = 0x01020304; E(futex(shared, FUTEX_WAIT, 0x04030201, 0, 0, 0)); E(futex(shared, FUTEX_WAIT, 0x01020304, &(struct { long s, n; }){0, 2000000}, 0, 0));
    fflush(stdout); if (!fork()) { while (shared[0] == 0x01020304) futex(shared, FUTEX_WAIT, 0x01020304, 0, 0, 0); shared[1] = shared[0] + 1; futex(shared + 1, FUTEX_WAKE, 1, 0, 0, 0); _exit(3); }
    usleep(20000); shared[0] = 0x05060708; futex(shared, FUTEX_WAKE, 1, 0, 0, 0); while (!shared[1]) futex(shared + 1, FUTEX_WAIT, 0, 0, 0, 0); printf("%x\n", shared[1]); int status; wait(&status); E(WEXITSTATUS(status));
    unsigned pair[2] = {5, 0x100}; E(futex(pair, FUTEX_WAKE_OP, 1, (void *)1, pair + 1, FUTEX_OP(FUTEX_OP_ADD, 3, FUTEX_OP_CMP_EQ, 0x100))); printf("%x\n", pair[1]); E(futex(pair, FUTEX_CMP_REQUEUE, 1, (void *)1, pair + 1, 6)); E(futex(pair, FUTEX_CMP_REQUEUE, 1, (void *)1, pair + 1, 5));
    struct rlimit limit = {123, 0}, old; E(getrlimit(RLIMIT_NOFILE, &old)); limit.rlim_max = old.rlim_max; E(setrlimit(RLIMIT_NOFILE, &limit)); E(prlimit(0, RLIMIT_NOFILE, 0, &limit)); E(limit.rlim_cur); E(limit.rlim_max == old.rlim_max); struct sysinfo si; E(sysinfo(&si)); E(si.procs > 0 && si.mem_unit > 0 && si.totalram > 0);
    gid_t groups[64]; int n = getgroups(64, groups); E(n >= 0); uid_t r, e, s; E(getresuid(&r, &e, &s)); E(r == getuid() && e == geteuid());
    int fd = open("/proc/self/auxv", O_RDONLY); unsigned long entry[2]; int same = 0; while (read(fd, entry, sizeof entry) == sizeof entry && entry[0]) if (entry[0] == AT_PHDR || entry[0] == AT_PAGESZ || entry[0] == AT_ENTRY) same += entry[1] == getauxval(entry[0]); E(same); E(getauxval(AT_PAGESZ)); E(getauxval(AT_UID) == getuid()); E(((unsigned char *)getauxval(AT_PHDR) != 0));
    timer_t timer; struct sigevent se = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 6, .sigev_value.sival_int = 0x0a0b0c0d}; E(timer_create(CLOCK_MONOTONIC, &se, &timer)); sigset_t set; sigemptyset(&set); sigaddset(&set, SIGRTMIN + 6); sigprocmask(SIG_BLOCK, &set, 0); E(timer_settime(timer, 0, &(struct itimerspec){{100, 5}, {0, 1000000}}, 0)); siginfo_t info; E(sigwaitinfo(&set, &info) - SIGRTMIN); printf("%d %x\n", info.si_code, info.si_value.sival_int); struct itimerspec now; E(timer_gettime(timer, &now)); printf("%d %ld\n", (int)now.it_interval.tv_sec, (long)now.it_interval.tv_nsec); E(now.it_value.tv_sec >= 98);
}

int main(void) {
    setvbuf(stdout, 0, _IOLBF, 0);
    puts("-- sets"); sets(); puts("-- messages"); messages(); puts("-- addresses"); addresses(); puts("-- interfaces"); interfaces(); puts("-- files"); files();
    puts("-- objects"); objects(); puts("-- terminal"); terminal(); puts("-- words"); words();
    return 0;
}
