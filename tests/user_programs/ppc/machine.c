/* What is PowerPC's own in Linux: faults and exceptions with their codes, registers in signal frames, the two system call
   instructions, floating-point exceptions, struct termios, numbers of flags. Built for both widths. */
#define _GNU_SOURCE
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <fenv.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <termios.h>
#include <ucontext.h>
#include <unistd.h>

#ifdef __powerpc64__
#define GREG(c, n) ((c)->uc_mcontext.gp_regs[n])
#define FREG(c, n) ((c)->uc_mcontext.fp_regs[n])
#else
#define GREG(c, n) ((c)->uc_mcontext.uc_regs->gregs[n])
#define FREG(c, n) ((c)->uc_mcontext.uc_regs->fpregs.fpregs[n])
#endif
enum { NIP = 32, MSR = 33, CTR = 35, LNK = 36, XER = 37, CCR = 38, TRAPNO = 40, DAR = 41 };
typedef unsigned long word;

static volatile word expected, here, next;
static void show(int number, siginfo_t *info, void *p) {
    ucontext_t *c = p;
    word address = (word)info->si_addr, nip = GREG(c, NIP);
    printf("signal %d code %d address %+ld nip %+ld trap %lx\n", number, info->si_code, (long)(address - expected), (long)(nip - here),
           (word)GREG(c, TRAPNO));
    if (!next)
        exit(9);
    GREG(c, NIP) = next;
    next = 0;
    GREG(c, 3) = 77;
}
static void act(int number, void *handler, int flags) {
    struct sigaction a = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | flags };
    sigaction(number, &a, 0);
}
/* One instruction at a place that is known, and one behind it; R9 is its operand. */
#define TRY(name, instruction, operand, where) ({ \
    extern char at_##name[], after_##name[]; \
    here = (word)at_##name; next = (word)after_##name; expected = (word)(where); printf(#name ": "); fflush(stdout); \
    register word r3 __asm__("3"); register word r9 __asm__("9") = (word)(operand); \
    __asm__ volatile("li 3, 5; at_" #name ": " instruction "; after_" #name ":" : "=&r"(r3), "+r"(r9) : : "memory", "0", "4", "cr0", "ctr", "lr"); \
    printf("  %lu\n", r3); })

static void faults(void) {
    char *page = mmap(0, 65536, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (int n = 0; n < 3; n++)
        act((int[]){ SIGSEGV, SIGBUS, SIGILL }[n], show, 0);
    act(SIGTRAP, show, 0);
    TRY(load, "lwz 3, 0(9)", 16, 16);
    TRY(store, "stw 3, 8(9)", 16, 24);
    TRY(readonly, "stb 3, 1(9)", page, page + 1);
    TRY(reserve, "lwarx 3, 0, 9", page + 2, page + 2);
    TRY(zero, ".long 0", 0, at_zero);
    TRY(privileged, "mfmsr 3", 0, at_privileged);
    TRY(trapped, "twi 31, 9, 0", 0, at_trapped);
    TRY(not_trapped, "twi 4, 9, 1", 0, at_not_trapped);
    TRY(jump, "mtctr 9; bctr", at_jump + (1ul << 30), at_jump + (1ul << 30));
}

/* Values in every register survive a handler that uses them all. */
static word seen[8];
static int depth;
static void clobber(int number, siginfo_t *info, void *p) {
    ucontext_t *c = p;
    void *frames[64];
    double d = GREG(c, 0);
    for (int i = 0; i < 20; i++)
        d = d * 1.5 + i;
    __asm__ volatile("mtlr %0; mtctr %0; mtcr %0; fmr 14, %1; fmr 31, %1; fmr 0, %1; vspltisw 0, 7; vspltisw 20, 7; vspltisw 31, 7"
                     : : "r"(0), "f"(d) : "lr", "ctr", "cr0", "cr1", "cr5", "cr6", "cr7", "fr14", "fr31", "fr0", "v0", "v20", "v31");
#ifdef __powerpc64__
    __asm__ volatile("xxlxor 14, 14, 14; xxlxor 33, 33, 33" : : : "vs14", "vs33");
#endif
    depth = backtrace(frames, 64);
    seen[0] = GREG(c, 14); seen[1] = GREG(c, CTR); seen[2] = GREG(c, CCR); seen[3] = GREG(c, XER) & 0xE000007F; seen[4] = GREG(c, MSR) >> 13 & 7;
    union { double d; uint64_t u; } f = { FREG(c, 14) };
    seen[5] = (word)(f.u >> 32);
    f.u += 1ull << 32;
    FREG(c, 14) = f.d;
    GREG(c, 15) = 0x1515;
    feraiseexcept(FE_INEXACT);
}
static void registers(void) {
    static uint32_t in[4] __attribute__((aligned(16))) = { 1, 2, 3, 4 }, out[8] __attribute__((aligned(16)));
    static double doubles[3];
    static word words[6];
    union { uint64_t u; double d; } f = { 0x4014000012345678ull };
    act(SIGUSR1, clobber, 0);
    doubles[0] = f.d;
    pid_t pid = getpid();
    word r3;
    feclearexcept(FE_ALL_EXCEPT);
    __asm__ volatile("li 14, 0x1414; li 15, 0; mtctr 14; lis 16, 0x1234; ori 16, 16, 0x5678; mtcr 16; lfd 14, 0(%[d]); lvx 20, 0, %[in]\n"
#ifdef __powerpc64__
                     "lxvd2x 14, 0, %[in]; lfd 15, 0(%[d]); lxvd2x 33, 0, %[in]\n lfd 14, 0(%[d]); xxpermdi 14, 14, 52, 1\n"
#endif
                     "li 0, 37; mr 3, %[pid]; li 4, 10; sc\n"
                     "mr %[r3], 3; mfctr 16; mfcr 17; stvx 20, 0, %[out]; stfd 14, 8(%[d])\n"
#ifdef __powerpc64__
                     "xxpermdi 16, 14, 14, 3; stfd 16, 16(%[d])\n"
#endif
                     : [r3] "=&r"(r3) : [d] "b"(doubles), [in] "b"(in), [out] "b"(out), [pid] "r"(pid)
                     : "memory", "0", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "14", "15", "16", "17", "ctr", "cr0", "cr1", "cr2",
                       "cr3", "cr4", "cr5", "cr6", "cr7", "fr14", "fr15", "fr16", "v1", "v20");
    register word a __asm__("15"), b __asm__("16"), d __asm__("17");
    __asm__ volatile("" : "=r"(a), "=r"(b), "=r"(d));
    words[0] = a; words[1] = b; words[2] = d;
    printf("frame: r14 %lx ctr %lx cr %lx xer %lx fp ee %lx f14 %lx deep %d\n", seen[0], seen[1], seen[2] & ~0x10000000, seen[3], seen[4], seen[5], depth > 2);
    f.d = doubles[1];
    printf("after: kill %lu r15 %lx ctr %lx cr %lx f14 %llx vector %x %x %x %x inexact %d\n", r3, words[0], words[1], words[2] & ~0x10000000,
           (unsigned long long)f.u, out[0], out[1], out[2], out[3], !!fetestexcept(FE_INEXACT));
    f.d = doubles[2];
    printf("other half %llx\n", (unsigned long long)f.u);
}

static void calls(void) {
    word r3, cr;
    __asm__ volatile("li 0, 6; li 3, 999; sc; mfcr %1; mr %0, 3" : "=&r"(r3), "=r"(cr) : : "0", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12",
                     "cr0", "ctr", "memory");
    printf("sc: close %ld summary overflow %lu\n", (long)r3, cr >> 28 & 1);
    __asm__ volatile("li 0, 20; sc; mfcr %1; mr %0, 3" : "=&r"(r3), "=r"(cr) : : "0", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12",
                     "cr0", "ctr", "memory");
    printf("sc: getpid %d summary overflow %lu\n", r3 == getpid(), cr >> 28 & 1);
#ifdef __powerpc64__
    if (getauxval(AT_HWCAP2) & 0x00100000) {
        __asm__ volatile("li 0, 6; li 3, 999; scv 0; mr %0, 3" : "=&r"(r3) : : "0", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12",
                         "cr0", "ctr", "lr", "memory");
        printf("scv: close %ld\n", (long)r3);
    }
#endif
    printf("no such call %ld %d\n", syscall(1000), errno);
}

static volatile int raised;
static void fpe(int number, siginfo_t *info, void *p) {
    ucontext_t *c = p;
    printf("  SIGFPE code %d at its instruction %d\n", info->si_code, (word)info->si_addr == GREG(c, NIP));
    raised++;
    GREG(c, NIP) += 4;
}
static void floating(void) {
    volatile double zero = 0, one = 1, huge = 1e308, tiny = 1e-308, r;
    act(SIGFPE, fpe, 0);
    int mode = -1;
    prctl(PR_GET_FPEXC, &mode);
    printf("mode %d\n", mode);
    __asm__ volatile("mtfsb1 27");                       /* ZE, but nobody has asked the kernel */
    r = one / zero;
    printf("quiet %d\n", raised);
    __asm__ volatile("mtfsb0 27");
    feclearexcept(FE_ALL_EXCEPT);
    static const int which[] = { FE_DIVBYZERO, FE_OVERFLOW, FE_UNDERFLOW, FE_INEXACT, FE_INVALID };
    for (int n = 0; n < 5; n++) {
        fenv_t before;
        fegetenv(&before);
        feclearexcept(FE_ALL_EXCEPT);
        feenableexcept(which[n]);
        printf("enabled %d:\n", n);
        switch (n) {
        case 0: r = one / zero; break;
        case 1: r = huge * huge; break;
        case 2: r = tiny * tiny; break;
        case 3: r = one / 3; break;
        case 4: r = zero / zero; break;
        }
        fedisableexcept(FE_ALL_EXCEPT);
    }
    prctl(PR_GET_FPEXC, &mode);
    printf("raised %d mode %d\n", raised, mode);
}

static void *thread(void *p) {
    static __thread int own = 5;
    own += *(int *)p;
    return (void *)(long)own;
}
static volatile int on_alternate;
static char *alternate;
static void where(int number, siginfo_t *info, void *p) {
    char local;
    on_alternate = &local > alternate && &local < alternate + 65536;
}
static void stacks(void) {
    alternate = malloc(65536);
    stack_t s = { .ss_sp = alternate, .ss_size = 65536 };
    sigaltstack(&s, 0);
    act(SIGUSR2, where, SA_ONSTACK);
    raise(SIGUSR2);
    printf("alternate %d\n", on_alternate);
    pthread_t t;
    int seven = 7;
    void *result;
    pthread_create(&t, 0, thread, &seven);
    pthread_join(t, &result);
    printf("thread %ld\n", (long)result);
}

static void kernel(void) {
    struct utsname u;
    uname(&u);
    printf("machine %s platform %s\n", u.machine, (char *)getauxval(AT_PLATFORM));
    printf("directory %d file %d link %d\n", open(".", O_RDONLY | O_DIRECTORY) > 0, open("/dev/null", O_RDONLY | O_DIRECTORY),
           open("/proc/self/exe", O_PATH | O_NOFOLLOW) > 0);
    int pair[2], on = 1, size;
    socklen_t length = sizeof size;
    socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
    struct timeval limit = { 3, 250000 }, got = { 0 };
    setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    length = sizeof got;
    getsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &got, &length);
    printf("timeout %ld %ld %u\n", (long)got.tv_sec, (long)got.tv_usec, length);
    struct ucred who = { 0 };
    length = sizeof who;
    getsockopt(pair[0], SOL_SOCKET, SO_PEERCRED, &who, &length);
    printf("peer %d passcred %d\n", who.pid == getpid(), setsockopt(pair[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof on));
    write(pair[1], "12345", 5);
    int count = 0;
    ioctl(pair[0], FIONREAD, &count);
    printf("waiting %d mlockall %d\n", count, mlockall(MCL_CURRENT));
    int master = posix_openpt(O_RDWR | O_NOCTTY);
    grantpt(master);
    unlockpt(master);
    int slave = open(ptsname(master), O_RDWR | O_NOCTTY);
    struct termios t;
    tcgetattr(slave, &t);
    printf("terminal %x %x %x %x min %d intr %d speed %d\n", t.c_iflag, t.c_oflag, t.c_cflag, t.c_lflag, t.c_cc[VMIN], t.c_cc[VINTR], cfgetospeed(&t));
    cfmakeraw(&t);
    t.c_cc[VTIME] = 9;
    cfsetospeed(&t, B115200);
    tcsetattr(slave, TCSANOW, &t);
    memset(&t, 0, sizeof t);
    tcgetattr(slave, &t);
    printf("raw %x %x %x %x min %d time %d speed %d\n", t.c_iflag, t.c_oflag, t.c_cflag, t.c_lflag, t.c_cc[VMIN], t.c_cc[VTIME], cfgetospeed(&t) == B115200);
    struct winsize w = { 24, 80, 1, 2 }, back = { 0 };
    ioctl(slave, TIOCSWINSZ, &w);
    ioctl(master, TIOCGWINSZ, &back);
    printf("window %d %d, a terminal %d, not one %d\n", back.ws_row, back.ws_col, isatty(slave), isatty(pair[0]));
    ucontext_t a, b;
    static volatile int times;
    getcontext(&a);
    if (times++ < 3)
        setcontext(&a);
    printf("contexts %d\n", times);
}

int main(void) {
    setvbuf(stdout, 0, _IOLBF, 0);
    calls();
    faults();
    registers();
    floating();
    stacks();
    kernel();
    return 0;
}
