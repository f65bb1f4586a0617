/* x86 Linux without a C library: faults, signal frames, restarts, threads. What it prints is the same under any kernel.
   Built with -nostdlib -ffreestanding -mgeneral-regs-only, for 64 and for 32 bits. */
#include "linux.h"

static void text(const char *s) { word n = 0; while (s[n]) n++; CALL(WRITE, 1, s, n, 0); }

void back(void);
asm(".text; back: " NAME("mov $15, %eax; syscall", "mov $173, %eax; int $0x80"));

static void act(int number, void *handler, word flags) {
    struct action a = {handler, flags | 0x04000004, back, 0};
    CALL(SIGACTION, number, &a, 0, 8);
}

static word next, expected;
static void fault(int number, struct info *info, struct context *c) {
    word sp, fl;
    asm volatile("mov %%" NAME("rsp", "esp") ", %0; pushf; pop %1" : "=r"(sp), "=r"(fl));
    text("signal"); hex("number", number); hex("code", info->code);
    word base = info->code >= 0x80 ? 0 : number == 11 || number == 7 ? expected : c->ip;
    hex("address", info->addr - base);
    hex("trap", c->trap); hex("error", c->err); hex("ip", c->ip == expected ? 0 : next - c->ip);
    if (c->trap == 14) hex("cr2", c->cr2 - expected);
    hex("df", fl >> 10 & 1); hex("saved", c->fl >> 10 & 1);
    text("\n");
    if (!next) CALL(EXIT_GROUP, 99, 0, 0, 0);
    c->ip = next;
    next = 0;
    c->ax = 0x1234;
    c->fl |= 1;
}
#define TRY(what, where, ...) do { word r_, f_; next = 0; expected = (word)(where); text(what " "); \
    asm volatile(NAME("lea 9f(%%rip), %%rax; mov %%rax, %2", "mov $9f, %2") "; std;" __VA_ARGS__ "; 9: pushf; pop %1; cld" \
        : "=&a"(r_), "=&r"(f_), "=m"(next) : "d"((word)(where)) : "cx", "memory", "cc"); \
    hex("ax", r_ & 0xffff); hex("cf", f_ & 1); hex("df", f_ >> 10 & 1); text("\n"); } while (0)

static volatile word ticks;
static word page, alternate;
static void tick(int number, struct info *info, struct context *c) {
    word here = (word)&here;
    ticks++;
    if (alternate) { hex("on", here > alternate && here < alternate + 65536); hex("flags", c->stack.flags); hex("size", c->stack.size); }
}
static void plain(int number) { text("plain"); hex("number", number); text("\n"); }

static int ready, gone;
static word tls_word = 0xabcd, other_word = 0x4321;
static word tls(void) {
    word v;
    asm volatile("mov %%" NAME("fs", "gs") ":0, %0" : "=r"(v));
    return v;
}
static void thread(void) {
    hex("thread's own", tls()); text("\n");
    ready = 1;
    CALL(FUTEX, &ready, 1, 1, 0);
    CALL(EXIT, 0, 0, 0, 0);
}
#ifndef __x86_64__
struct desc { int entry; word base, limit, flags; };
#endif
static void threads(void) {
    word stack = call(MMAP, 0, 65536, 3, 0x22, -1, 0) + 65536 - 64;
    word flags = 0x100 | 0x200 | 0x400 | 0x800 | 0x10000 | 0x40000 | 0x80000 | 0x200000;
    long tid;
    gone = 1;
#ifdef __x86_64__
    CALL(ARCH_PRCTL, 0x1002, &tls_word, 0, 0);
    register word r10 asm("r10") = (word)&gone, r8 asm("r8") = (word)&other_word, r12 asm("r12") = (word)thread;
    asm volatile("syscall; test %%rax, %%rax; jnz 1f; call *%%r12; 1:" : "=a"(tid)
        : "a"(CLONE), "D"(flags), "S"(stack), "d"(0), "r"(r10), "r"(r8), "r"(r12) : "rcx", "r11", "memory");
#else
    struct desc one = {-1, (word)&tls_word, 0xfffff, 0x51}, two;
    hex("area", CALL(SET_THREAD_AREA, &one, 0, 0, 0)); hex("entry", one.entry); text("\n");
    asm volatile("mov %0, %%gs" : : "r"(one.entry << 3 | 3));
    two = one; two.base = (word)&other_word;
    *(void **)stack = thread;
    asm volatile("int $0x80; test %%eax, %%eax; jnz 1f; ret; 1:" : "=a"(tid)
        : "a"(CLONE), "b"(flags), "c"(stack), "d"(0), "S"(&two), "D"(&gone) : "memory");
#endif
    while (!*(volatile int *)&ready) CALL(FUTEX, &ready, 0, 0, 0);
    while (*(volatile int *)&gone) CALL(FUTEX, &gone, 0, gone, 0);
    hex("tid", tid > 0); hex("own", tls()); text("\n");
}

static void interrupted(void) {
    int ends[2];
    char byte;
    struct { word is, ius, s, us; } once = {0, 0, 0, 200000};
    CALL(PIPE, ends, 0, 0, 0);
    act(14, tick, 0);
    CALL(SETITIMER, 0, &once, 0, 0);
    hex("read", -CALL(READ, ends[0], &byte, 1, 0)); hex("ticks", ticks); text("\n");
    act(14, tick, 0x10000000);
    CALL(SETITIMER, 0, &once, 0, 0);
    long child = CALL(FORK, 0, 0, 0, 0);
    if (!child) {
        struct { word s, ns; } t = {0, 600000000};
        call(NAME(35, 162), (word)&t, 0, 0, 0, 0, 0);
        CALL(WRITE, ends[1], "x", 1, 0);
        CALL(EXIT_GROUP, 7, 0, 0, 0);
    }
    hex("read", CALL(READ, ends[0], &byte, 1, 0)); hex("byte", byte); hex("ticks", ticks);
    int status = 0;
    hex("child", CALL(WAIT4, child, &status, 0, 0) == child); hex("status", status); text("\n");
}

static u64 low[4] __attribute__((aligned(32))) = {1, 2, 3, 4}, got[16] __attribute__((aligned(32)));
static unsigned mxcsr = 0x9fc0, control;
static void scramble(int number, struct info *info, struct context *c) {
    char *fx = (char *)c->fp + NAME(0, 112);
    unsigned *note = (unsigned *)(fx + 464);
    hex("magic", note[0]); hex("behind", *(unsigned *)(fx + note[4])); hex("size", note[1] - note[4]); hex("parts", *(u64 *)(note + 2) & 7);
    hex("header", *(u64 *)(fx + 512) & 7); hex("mxcsr", *(unsigned *)(fx + 24)); hex("control", *(unsigned short *)fx);
    hex("xmm2", *(u64 *)(fx + 192)); hex("upper", *(u64 *)(fx + 576 + 32)); text("\n");
    *(u64 *)(fx + 192) = 0x5678;
    *(u64 *)(fx + 576 + 40) = 0x9abc;
    mxcsr = 0x1f80;
    asm volatile("vzeroall; fninit; ldmxcsr %0" : : "m"(mxcsr));
}
static void vectors(void) {
    unsigned short word_ = 0x27f;
    act(5, scramble, 0);
    asm volatile("fldcw %0; fldpi; fld1; vmovdqa %1, %%ymm2; vmovdqa %1, %%ymm7; ldmxcsr %2; int3; vmovdqa %%ymm2, %3; vmovdqa %%ymm7, 32+%3;"
                 "fstpl 64+%3; fstpl 72+%3; stmxcsr 80+%3; fnstcw 88+%3; fnstsw 96+%3; vzeroupper"
                 : : "m"(word_), "m"(low), "m"(mxcsr), "m"(got[0]) : "memory");
    for (int n = 0; n < 13; n++) hex("got", got[n]);
    text("\n");
}

void start(word *sp) {
    hex("argc", sp[0]); hex("aligned", (word)sp & 15);
    word *p = sp + 2 + sp[0];
    while (*p++) ;
    for (; *p; p += 2) {
        if (p[0] == 6 || p[0] == 17 || p[0] == 23) { hex("auxv", p[0]); hex("=", p[1]); }
        if (p[0] == 15) { text(" "); text((char *)p[1]); }
    }
    text("\n");
    page = call(MMAP, 0, 8192, 3, 0x22, -1, 0);
    for (int n = 1; n < 12; n++) if (n == 4 || n == 5 || n == 7 || n == 8 || n == 11) act(n, fault, 0);
    TRY("load", 0x10, "mov (%%" NAME("rdx", "edx") "), %%cl");
    TRY("store", 0x18, "movb $1, (%%" NAME("rdx", "edx") ")");
    TRY("jump", 0x20, "jmp *%%" NAME("rdx", "edx"));
    TRY("data", page, "jmp *%%" NAME("rdx", "edx"));
    *(volatile char *)page = *(volatile char *)(page + 4096) = 1;
    CALL(MPROTECT, page + 4096, 4096, 1, 0);
    TRY("read-only", page + 4100, "movb $1, (%%" NAME("rdx", "edx") ")");
    TRY("across", page + 4095, "movw $1, (%%" NAME("rdx", "edx") ")");
    TRY("undefined", 0, "ud2");
    TRY("breakpoint", 0, "int3");
    TRY("division", 0, "xor %%ecx, %%ecx; xor %%edx, %%edx; xor %%eax, %%eax; div %%ecx");
    TRY("privileged", 0, "hlt");
#ifdef __x86_64__
    TRY("not canonical", 0x800000000000, "mov (%%rdx), %%cl");
    TRY("kernel", 0xffff800000000000, "mov (%%rdx), %%cl");
    act(10, tick, 0);
    word rcx, r11, here;
    asm volatile("mov $39, %%eax; syscall; 1: lea 1b(%%rip), %2" : "=c"(rcx), "=a"(r11), "=r"(here) : : "r11");
    hex("rcx", here - rcx); text("\n");
    word zone;
    asm volatile("movq $0x77, -100(%%rsp); mov $39, %%eax; syscall; mov %%eax, %%edi; mov $10, %%esi; mov $62, %%eax; syscall; mov -100(%%rsp), %0"
        : "=r"(zone) : : "rax", "rcx", "r11", "rdi", "rsi", "memory");
#else
    word zone = 0x77;
#endif
    hex("red zone", zone); text("\n");
    interrupted();
    struct stack stack = {call(MMAP, 0, 65536, 3, 0x22, -1, 0), 0, 65536}, old;
    hex("altstack", CALL(ALTSTACK, &stack, &old, 0, 0)); hex("was", old.flags);
    alternate = stack.sp;
    act(12, tick, 0x08000000);
    CALL(KILL, CALL(GETPID, 0, 0, 0, 0), 12, 0, 0);
    hex("ticks", ticks); text("\n");
#ifndef __x86_64__
    struct { void *handler; word mask, flags; void *restorer; } oldact = {plain, 0, 0, 0};
    hex("old", CALL(OLD_SIGACTION, 10, &oldact, 0, 0)); text("\n");
    CALL(KILL, CALL(GETPID, 0, 0, 0, 0), 10, 0, 0);
#endif
    vectors();
    threads();
    CALL(EXIT_GROUP, 5, 0, 0, 0);
}
asm(".globl _start; _start: " NAME("mov %rsp, %rdi; and $-16, %rsp; call start", "mov %esp, %eax; and $-16, %esp; sub $12, %esp; push %eax; call start"));
