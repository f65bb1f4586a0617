/* poll, select, epoll, eventfd, timerfd, signalfd, timers, clocks, sleeping. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/times.h>
#include <time.h>
#include <unistd.h>
#define E(x) do { errno = 0; long r_ = (long)(x); printf("%s = %ld errno %d\n", #x, r_, errno); } while (0)
static volatile int ticks; static void tick(int s, siginfo_t *i, void *u) { (void)s; (void)u; ticks += i ? 1 : 0; }
static void nothing(int s) { (void)s; ticks++; }
int main(void) {
    int p[2]; char b[256]; uint64_t v; struct timespec a, z, ten = {0, 10000000};
    setvbuf(stdout, 0, _IONBF, 0); pipe(p);
    struct pollfd f[3] = {{p[0], POLLIN, 0}, {p[1], POLLOUT, 0}, {99, POLLIN, 0}};
    E(poll(f, 3, 0)); printf("%x %x %x\n", f[0].revents, f[1].revents, f[2].revents); E(poll(f, 1, 10)); write(p[1], "x", 1); E(poll(f, 1, -1)); E(poll((void *)1, 1, 0)); E(ppoll(f, 1, &ten, 0));
    fd_set r, w; FD_ZERO(&r); FD_ZERO(&w); FD_SET(p[0], &r); FD_SET(p[1], &w); E(select(p[1] + 1, &r, &w, 0, 0)); E(FD_ISSET(p[0], &r)); E(FD_ISSET(p[1], &w)); read(p[0], b, 1);
    FD_ZERO(&r); FD_SET(p[0], &r); struct timeval tv = {0, 5000}; E(select(p[1] + 1, &r, 0, 0, &tv)); E(FD_ISSET(p[0], &r)); E(tv.tv_usec); FD_ZERO(&r); FD_SET(50, &r); E(select(51, &r, 0, 0, &tv));
    int ep = epoll_create1(EPOLL_CLOEXEC); struct epoll_event ev = {EPOLLIN, {.u64 = 0x1122334455667788ULL}}, out[4]; E(epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &ev)); E(epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &ev)); E(epoll_wait(ep, out, 4, 5)); write(p[1], "y", 1); E(epoll_wait(ep, out, 4, -1)); printf("%x %llx\n", out[0].events, (unsigned long long)out[0].data.u64); E(epoll_ctl(ep, EPOLL_CTL_DEL, p[0], 0)); E(epoll_wait(ep, out, 4, 0)); E(epoll_wait(ep, out, 0, 0)); read(p[0], b, 1);
    int e = eventfd(3, EFD_NONBLOCK); E(read(e, &v, 8)); E(v); E(read(e, &v, 8)); v = 7; E(write(e, &v, 8)); E(read(e, &v, 8)); E(v); E(read(e, b, 4)); e = eventfd(2, EFD_SEMAPHORE); E(read(e, &v, 8)); E(v);
    int t = timerfd_create(CLOCK_MONOTONIC, 0); struct itimerspec it = {{0, 5000000}, {0, 5000000}}, io; E(timerfd_settime(t, 0, &it, 0)); E(read(t, &v, 8)); E(v >= 1); E(timerfd_gettime(t, &io)); E(io.it_interval.tv_nsec);
    sigset_t m; sigemptyset(&m); sigaddset(&m, SIGUSR1); sigaddset(&m, SIGRTMIN); sigprocmask(SIG_BLOCK, &m, 0); int s = signalfd(-1, &m, SFD_NONBLOCK); struct signalfd_siginfo si; E(read(s, &si, sizeof si)); raise(SIGUSR1); f[0].fd = s; E(poll(f, 1, 100)); E(read(s, &si, sizeof si)); E(si.ssi_signo); union sigval sv = {.sival_int = 55}; sigqueue(getpid(), SIGRTMIN, sv); E(read(s, &si, sizeof si)); E(si.ssi_int); E(read(s, &si, sizeof si));
    sigqueue(getpid(), SIGRTMIN, sv); siginfo_t info; E(sigwaitinfo(&m, &info) == SIGRTMIN); E(info.si_value.sival_int); E(sigtimedwait(&m, &info, &ten));
    struct sigaction sa = {0}; sa.sa_sigaction = tick; sa.sa_flags = SA_SIGINFO; sigaction(SIGRTMIN + 1, &sa, 0); struct sigevent se = {0}; se.sigev_notify = SIGEV_SIGNAL; se.sigev_signo = SIGRTMIN + 1; se.sigev_value.sival_int = 9; timer_t tm; E(timer_create(CLOCK_MONOTONIC, &se, &tm)); it.it_interval.tv_nsec = it.it_value.tv_nsec = 2000000; E(timer_settime(tm, 0, &it, 0)); while (ticks < 3) pause(); E(timer_delete(tm)); E(timer_delete(tm));
    signal(SIGALRM, nothing); ticks = 0; tv.tv_sec = 0; struct itimerval iv = {{0, 0}, {0, 10000}}; setitimer(ITIMER_REAL, &iv, 0); struct timespec sl = {5, 0}, rem; E(nanosleep(&sl, &rem)); E(rem.tv_sec); E(ticks); E(alarm(10)); E(alarm(0)); E(getitimer(ITIMER_REAL, &iv));
    setitimer(ITIMER_REAL, &(struct itimerval){{0, 0}, {0, 10000}}, 0); E(poll(0, 0, 1000)); setitimer(ITIMER_REAL, &(struct itimerval){{0, 0}, {0, 10000}}, 0); E(epoll_wait(ep, out, 4, 1000)); sigset_t none; sigemptyset(&none); sigset_t al; sigemptyset(&al); sigaddset(&al, SIGALRM); sigprocmask(SIG_BLOCK, &al, 0); raise(SIGALRM); ticks = 0; E(ppoll(0, 0, 0, &none)); E(ticks); raise(SIGALRM); E(sigsuspend(&none)); E(ticks); raise(SIGALRM); E(pselect(0, 0, 0, 0, &ten, &none)); E(ticks); sigpending(&none); E(sigismember(&none, SIGALRM));
    clock_gettime(CLOCK_MONOTONIC, &a); usleep(3000); clock_gettime(CLOCK_MONOTONIC, &z); long us = (z.tv_sec - a.tv_sec) * 1000000 + (z.tv_nsec - a.tv_nsec) / 1000; E(us >= 3000 && us < 300000); E(clock_gettime(77, &a)); E(clock_getres(CLOCK_REALTIME, &a)); E(a.tv_nsec); a.tv_nsec = -1; E(nanosleep(&a, 0)); E(clock_nanosleep(CLOCK_MONOTONIC, 0, &ten, 0)); struct tms tms; E(times(&tms) != -1); struct rusage ru; E(getrusage(RUSAGE_SELF, &ru)); E(getrusage(99, &ru)); E(time(0) > 1000000000); E(gettimeofday(&tv, 0)); E(sysconf(_SC_CLK_TCK));
    return 0;
}
