/* Runs small pieces of machine code that end in a signal and prints the signal and the registers: the same under any kernel.
   Standard input has the cases, each a struct piece and its code; all addresses and registers are the same in each run, but for R2
   and R13, which are the ABIs' own. Built static, for both widths. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

enum { PAGE = 4096, NO_PAGE = 8, REGION = 0x20000000, STACK = 0x21000000, SIZE = 65536 };
struct piece { int offset, entry, rights[3], size; };    /* rights of three pages; entry is relative to the region */

#ifdef __powerpc64__
#define ST "std "
#define LD "ld "
#define W "8"
#define REGISTERS(context) (context)->uc_mcontext.gp_regs
#else
#define ST "stw "
#define LD "lwz "
#define W "4"
#define REGISTERS(context) (context)->uc_mcontext.uc_regs->gregs
#endif
enum { NIP = 32, CTR = 35, LINK, XER, CCR };

void enter(unsigned long at), finish(void);
unsigned long saved;
asm(".text; .globl enter, finish; .type enter, @function; .type finish, @function;"
    "enter: mflr 0; " ST "0, 2*" W "(1); addi 1, 1, -512; " ST "2, 64(1); mfcr 0; " ST "0, 72(1);"
    ".irp n, 13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31; " ST "\\n, 80 + 8*\\n(1); .endr;"
    "lis 4, saved@ha; " ST "1, saved@l(4); mtctr 3; li 0, 0; mtcr 0; mtxer 0; li 0, 0x5554; mtlr 0;"
    ".irp n, 0,5,6,7,8,9,10,11,12,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29; li \\n, \\n; .endr;"
    "li 3, 0x1111; lis 4, 0x2222; lis 1, 0x2100; ori 1, 1, 0x8000; lis 31, 0x2000; addi 30, 31, 4096; bctr;"
    "finish: " LD "2, 64(1); " LD "0, 72(1); mtcr 0;"
    ".irp n, 13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31; " LD "\\n, 80 + 8*\\n(1); .endr;"
    "addi 1, 1, 512; " LD "0, 2*" W "(1); mtlr 0; blr");

static void fault(int number, siginfo_t *info, void *where)
{
    unsigned long *r = (unsigned long *)REGISTERS((ucontext_t *)where);
    printf("signal %d code %d address %lx pc %lx lr %lx ctr %lx xer %lx cr %lx", number, info->si_code, (unsigned long)info->si_addr,
           r[NIP], r[LINK], r[CTR], r[XER], r[CCR]);
    for (int n = 0; n < 32; n++)
        if (n != 2 && n != 13)
            printf(" r%d %lx", n, r[n]);
    r[NIP] = (unsigned long)finish;
    r[1] = saved;
}

static int get(void *at, int n)
{
    int have = 0;
    for (int got; have < n; have += got)
        if ((got = read(0, (char *)at + have, n - have)) <= 0)
            return 0;
    return 1;
}

static void run(const struct piece *p)
{
    char *region = mmap((void *)REGION, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    memset(region, 0, 3 * PAGE);
    get(region + p->offset, p->size);
    __builtin___clear_cache(region, region + 3 * PAGE);
    for (int n = 0; n < 3; n++)
        if (p->rights[n] == NO_PAGE) munmap(region + n * PAGE, PAGE);
        else mprotect(region + n * PAGE, PAGE, p->rights[n]);
    memset((char *)STACK, 0, SIZE);
    enter(REGION + p->entry);
    puts("");
    fflush(stdout);
}

int main(void)
{
    static char alternate[SIZE];
    struct sigaction a = {.sa_sigaction = fault, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
    stack_t stack = {.ss_sp = alternate, .ss_size = SIZE};
    struct piece p;
    mmap((void *)STACK, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    sigaltstack(&stack, 0);
    for (int n = SIGILL; n < SIGUSR2; n++)
        if (n != SIGABRT && n != SIGKILL)
            sigaction(n, &a, 0);
    while (get(&p, sizeof p))
        run(&p);
    return 0;
}
