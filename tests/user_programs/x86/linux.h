/* Linux as x86 programs without a C library see it: system calls, their numbers, what is on a signal handler's stack; 64 and 32 bits. */
typedef unsigned long word;
typedef unsigned long long u64;
#ifdef __x86_64__
enum { READ = 0, WRITE = 1, CLOSE = 3, MMAP = 9, MPROTECT = 10, MUNMAP = 11, SIGACTION = 13, SIGPROCMASK = 14, SIGRETURN = 15, PIPE = 22,
       SETITIMER = 38, GETPID = 39, CLONE = 56, FORK = 57, EXIT = 60, WAIT4 = 61, KILL = 62, ALTSTACK = 131, ARCH_PRCTL = 158, GETTID = 186,
       FUTEX = 202, EXIT_GROUP = 231 };
#define NAME(wide, narrow) wide
#else
enum { EXIT = 1, FORK = 2, READ = 3, WRITE = 4, CLOSE = 6, WAITPID = 7, GETPID = 20, KILL = 37, PIPE = 42, OLD_SIGACTION = 67, MUNMAP = 91,
       SETITIMER = 104, WAIT4 = 114, CLONE = 120, MPROTECT = 125, SIGRETURN = 173, SIGACTION = 174, SIGPROCMASK = 175, ALTSTACK = 186,
       MMAP = 192, GETTID = 224, FUTEX = 240, SET_THREAD_AREA = 243, EXIT_GROUP = 252 };
#define NAME(wide, narrow) narrow
#endif

static long call(long n, word a, word b, word c, word d, word e, word f) {
    long r;
#ifdef __x86_64__
    register word r10 asm("r10") = d, r8 asm("r8") = e, r9 asm("r9") = f;
    asm volatile("syscall" : "=a"(r) : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9) : "rcx", "r11", "memory");
#else
    word six[2] = {a, f};
    asm volatile("push %%ebp; push %%ebx; mov 4(%%ebx), %%ebp; mov (%%ebx), %%ebx; int $0x80; pop %%ebx; pop %%ebp"
                 : "=a"(r) : "b"(six), "0"(n), "c"(b), "d"(c), "S"(d), "D"(e) : "memory");
#endif
    return r;
}
#define CALL(n, a, b, c, d) call(n, (word)(a), (word)(b), (word)(c), (word)(d), 0, 0)

static void text(const char *s);
static void hex(const char *name, u64 v) {
    char t[24], *p = t + 23;
    *p = 0;
    do *--p = "0123456789abcdef"[v & 15]; while (v >>= 4);
    text(" "); text(name); text(" "); text(p);
}

struct stack { word sp; int flags; word size; };
#ifdef __x86_64__
struct context { word flags, link; struct stack stack; word r8, r9, r10, r11, r12, r13, r14, r15, di, si, bp, bx, dx, ax, cx, sp, ip, fl;
                 unsigned short cs, gs, fs, ss; word err, trap, oldmask, cr2, fp, more[8]; u64 mask; };
struct info { int signo, err, code, pad; word addr; };
#else
struct context { word flags, link; struct stack stack; word gs, fs, es, ds, di, si, bp, sp, bx, dx, cx, ax, trap, err, ip, cs, fl, sps, ss, fp,
                 oldmask, cr2; u64 mask; };
struct info { int signo, err, code; word addr; };
#endif
struct action { void *handler; word flags; void *restorer; u64 mask; };
