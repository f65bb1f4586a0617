/* Runs small pieces of machine code that end in a signal and prints the signal and the registers: the same under any kernel.
   Standard input has the cases, each a struct piece and its code; all addresses and registers are the same in each run.
   Built with -nostdlib -ffreestanding -mgeneral-regs-only, for 64 and for 32 bits. */
#include "linux.h"
enum { PAGE = 4096, NO_PAGE = 8, REGION = 0x20000000, STACK = 0x21000000, ALTERNATE = 0x22000000, SIZE = 65536 };
#define WIDE NAME(1, 0)

static char line[1024];
static word used;
static void text(const char *s) { while (*s) line[used++] = *s++; }
static void flush(void) { CALL(WRITE, 1, line, used, 0); used = 0; }

void back(void), finish(void), enter(word at);
word saved;
#if WIDE
asm(".text; back: mov $15, %eax; syscall;"
    "enter: push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15; mov %rsp, saved(%rip);"
    "mov %rdi, %rax; mov $0x20000000, %edi; mov $0x20001000, %esi; mov $0x21008000, %esp; mov $0x1111, %ebx; mov $0x22222222, %ecx;"
    "mov $0x3333, %edx; mov $0x4444, %ebp; mov $8, %r8d; mov $9, %r9d; mov $10, %r10d; mov $11, %r11d; mov $12, %r12d; mov $13, %r13d;"
    "mov $14, %r14d; mov $15, %r15d; xor %eax, %ecx; xor %eax, %ecx; jmp *%rax;"
    "finish: cld; pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx; ret");
#else
asm(".text; back: mov $173, %eax; int $0x80;"
    "enter: mov 4(%esp), %eax; push %ebx; push %ebp; push %esi; push %edi; mov %esp, saved;"
    "mov $0x20000000, %edi; mov $0x20001000, %esi; mov $0x21008000, %esp; mov $0x1111, %ebx; mov $0x22222222, %ecx; mov $0x3333, %edx;"
    "mov $0x4444, %ebp; xor %eax, %ecx; xor %eax, %ecx; jmp *%eax;"
    "finish: cld; mov $0x2b, %eax; mov %eax, %ds; mov %eax, %es; pop %edi; pop %esi; pop %ebp; pop %ebx; ret");
#endif

enum { FLAGS = 0x40dd5 };     /* RF and ID are not compared */
static void fault(int number, struct info *info, struct context *c) {
    hex("signal", number); hex("code", info->code & 0xffff); hex("address", info->addr); hex("trap", c->trap);
    hex("error", c->err); if (c->trap == 14) hex("cr2", c->cr2);
    hex("ip", c->ip); hex("flags", c->fl & FLAGS); hex("ax", c->ax); hex("bx", c->bx); hex("cx", c->cx); hex("dx", c->dx);
    hex("si", c->si); hex("di", c->di); hex("bp", c->bp); hex("sp", c->sp);
#if WIDE
    hex("r8", c->r8); hex("r9", c->r9); hex("r10", c->r10); hex("r11", c->r11);
#endif
    c->ip = (word)finish;
    c->sp = saved;
    c->fl &= ~(word)0x40dd5;
}

struct piece { int offset, entry, rights[3], size; };    /* rights of three pages; entry is relative to the region */
static int get(void *at, word n) {
    word have = 0;
    for (long got; have < n; have += got)
        if ((got = CALL(READ, 0, (char *)at + have, n - have, 0)) <= 0)
            return 0;
    return 1;
}

static void run(struct piece *p) {
    call(MMAP, REGION, 3 * PAGE, 3, 0x32, -1, 0);
    for (int n = 0; n < 3; n++) *(volatile char *)(REGION + n * PAGE) = 0;     /* there before rights are taken away */
    get((char *)REGION + p->offset, p->size);
    for (int n = 0; n < 3; n++)
        if (p->rights[n] == NO_PAGE) CALL(MUNMAP, REGION + n * PAGE, PAGE, 0, 0);
        else CALL(MPROTECT, REGION + n * PAGE, PAGE, p->rights[n], 0);
    for (word n = 0x7000 / sizeof(word); n < 0x9000 / sizeof(word); n++) ((word *)STACK)[n] = 0;
    enter(REGION + p->entry);
    text("\n");
    flush();
}

void start(void) {
    struct action a = {fault, 0x0c000004 | 0x40000000, back, 0};
    struct stack stack = {ALTERNATE, 0, SIZE};
    struct piece p;
    call(MMAP, STACK, SIZE, 3, 0x32, -1, 0);
    call(MMAP, ALTERNATE, SIZE, 3, 0x32, -1, 0);
    CALL(ALTSTACK, &stack, 0, 0, 0);
    for (int n = 4; n < 12; n++) if (n != 6 && n != 9 && n != 10) CALL(SIGACTION, n, &a, 0, 8);
    while (get(&p, sizeof p)) run(&p);
    CALL(EXIT_GROUP, 0, 0, 0, 0);
}
asm(".globl _start; _start: xor %ebp, %ebp; call start");
