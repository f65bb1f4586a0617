/* Runs single PowerPC instructions from exact states and reports the exact states after them.
 *
 * Reads from standard input: the contents of the window, once; then batches of cases. The code of a whole batch is written
 * before any of it runs, each case into a slot of its own: four instructions that load the last registers, the case, traps.
 * So every case ends in a signal, of its own or of the trap behind it, whose frame has the general registers; all other
 * registers are as the case left them, for nothing here uses them (-msoft-float). Each result is written at once, so that
 * the reader knows which case an emulator died of. The numbers here are those of machine.py.
 */

typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef unsigned long word;

enum { CODE = 0x01000000, SLOT = 128, BATCH = 512, WINDOW = 0x02000000, PAGE = 4096, WINDOW_SIZE = 4 * PAGE };
enum { MOST_PATCHES = 64 * BATCH, WORDS = 8, TRAP = 0x7fe00008 };

struct state {                          /* the offsets are those of enter.S */
    u64 gpr[32];
    u64 nip, lr, ctr, tar, cr, xer, vrsave, fpscr;
    u64 vscr[2];
    u64 vsr[64][2];
};

struct one_case {
    struct state before;                /* nip: where the slot starts */
    u32 code[WORDS];
    u64 words, patches;                 /* how many there are */
};

struct result {
    struct state after;
    u64 signal, code, address, changes;
};

struct pair {
    u64 offset, value;                  /* of an aligned doubleword of the window */
};

extern void enter(const struct state *before);
extern void resume(void) __attribute__((noreturn));
extern void save_vectors(struct state *after);

static struct one_case cases[BATCH] __attribute__((aligned(16)));
static struct pair patches[MOST_PATCHES];
static struct {
    struct result head;
    struct pair changes[2 * PAGE / 8];
} output __attribute__((aligned(16)));
static u64 clean[WINDOW_SIZE / 8], before[WINDOW_SIZE / 8];
static u8 signal_stack[65536] __attribute__((aligned(16)));
static volatile int running;

static word call(word number, word a, word b, word c, word d, word e, word f)
{
    register word r0 __asm__("r0") = number;
    register word r3 __asm__("r3") = a;
    register word r4 __asm__("r4") = b;
    register word r5 __asm__("r5") = c;
    register word r6 __asm__("r6") = d;
    register word r7 __asm__("r7") = e;
    register word r8 __asm__("r8") = f;
    __asm__ volatile("sc\n\tbns 0f\n\tli 3, -1\n0:"
                     : "+r"(r0), "+r"(r3), "+r"(r4), "+r"(r5), "+r"(r6), "+r"(r7), "+r"(r8)
                     : : "r9", "r10", "r11", "r12", "ctr", "cr0", "memory");
    return r3;
}

static void leave(word status)
{
    for (;;)
        call(234, status, 0, 0, 0, 0, 0);               /* exit_group */
}

static int read_all(void *to, word size)
{
    while (size) {
        word got = call(3, 0, (word)to, size, 0, 0, 0);
        if (got == 0 || got == (word)-1)
            return 0;
        to = (u8 *)to + got;
        size -= got;
    }
    return 1;
}

static void write_all(const void *from, word size)
{
    while (size) {
        word put = call(4, 1, (word)from, size, 0, 0, 0);
        if (put == (word)-1)
            leave(3);
        from = (const u8 *)from + put;
        size -= put;
    }
}

void on_signal(int number, const u8 *info, const u8 *context)
{
    struct result *out = &output.head;
    save_vectors(&out->after);
    if (!running)
        leave(4);
    running = 0;
#ifdef __powerpc64__
    const word *registers = (const word *)(context + 232);         /* gp_regs of struct sigcontext */
    out->address = *(const word *)(info + 16);
#else
    const word *registers = *(const word *const *)(context + 48);  /* uc_regs */
    out->address = *(const word *)(info + 12);
#endif
    for (int i = 0; i < 32; i++)
        out->after.gpr[i] = registers[i];
    out->after.nip = registers[32];
    out->after.ctr = registers[35];
    out->after.lr = registers[36];
    out->after.xer = registers[37];
    out->after.cr = registers[38];
    out->after.fpscr = ((const u64 *)(registers + 48))[32];
    out->signal = number;
    out->code = ((const u32 *)info)[2];
    resume();
}


static void write_slot(u32 *at, const struct one_case *one)
{
#ifdef __powerpc64__
    static const u32 prologue[] = { 0xe8010110, 0x7c0903a6, 0xe8010000, 0xe8210008 };  /* ld 0,272(1); mtctr 0; ld 0,0(1); ld 1,8(1) */
#else
    static const u32 prologue[] = { 0x80010114, 0x7c0903a6, 0x80010004, 0x8021000c };  /* the same with lwz */
#endif
    for (int i = 0; i < SLOT / 4; i++)
        at[i] = i < 4 ? prologue[i] : i < 4 + (int)one->words ? one->code[i - 4] : TRAP;
    for (int i = 0; i < SLOT; i += 32)
        __asm__ volatile("dcbst 0,%0; sync; icbi 0,%0; sync; isync" : : "r"((u8 *)at + i) : "memory");
}

static u64 collect(struct pair *out)
{
    u64 *window = (u64 *)WINDOW, count = 0;
    for (int i = PAGE / 8; i < 3 * PAGE / 8; i++) {
        if (window[i] != before[i]) {
            out[count].offset = 8 * i;
            out[count++].value = window[i];
            window[i] = before[i];
        }
    }
    return count;
}

static void set_up(void)
{
    static word stack[3] = { (word)signal_stack, 0, sizeof signal_stack };
    static word action[6] = { 0, 0x4c000004, 0, 0, 0, 0 };          /* SIGINFO ONSTACK RESTORER NODEFER */
    static const u8 signals[] = { 4, 5, 7, 8, 11 };
    action[0] = (word)on_signal;
    call(185, (word)stack, 0, 0, 0, 0, 0);                          /* sigaltstack */
    for (word i = 0; i < sizeof signals; i++)
        call(173, signals[i], (word)action, 0, 8, 0, 0);            /* rt_sigaction */
    call(90, CODE, BATCH * SLOT, 7, 0x32, (word)-1, 0);             /* mmap: PRIVATE ANONYMOUS FIXED */
    for (u32 *at = (u32 *)CODE; at < (u32 *)(CODE + BATCH * SLOT); at++)
        *at = TRAP;
    call(90, WINDOW, WINDOW_SIZE, 3, 0x32, (word)-1, 0);
    if (!read_all((void *)WINDOW, WINDOW_SIZE))
        leave(0);
    for (int i = 0; i < WINDOW_SIZE / 8; i++)
        clean[i] = before[i] = ((u64 *)WINDOW)[i];
    call(125, WINDOW, PAGE, 1, 0, 0, 0);                            /* mprotect */
    call(125, WINDOW + 3 * PAGE, PAGE, 1, 0, 0, 0);
}

void run(void)
{
    u64 head[2], *window = (u64 *)WINDOW;
    set_up();
    while (read_all(head, sizeof head)) {
        if (head[0] > BATCH || head[1] > MOST_PATCHES)
            leave(5);
        if (!read_all(cases, head[0] * sizeof *cases) || !read_all(patches, head[1] * sizeof *patches))
            leave(6);
        for (u32 i = 0; i < head[0]; i++)
            write_slot((u32 *)(word)cases[i].before.nip, &cases[i]);
        const struct pair *patch = patches;
        for (u32 i = 0; i < head[0]; i++) {
            const struct pair *first = patch, *end = patch + cases[i].patches;
            for (; patch < end; patch++)
                window[patch->offset / 8] = before[patch->offset / 8] = patch->value;
            running = 1;
            enter(&cases[i].before);
            output.head.changes = collect(output.changes);
            for (; first < end; first++)
                window[first->offset / 8] = before[first->offset / 8] = clean[first->offset / 8];
            write_all(&output, sizeof output.head + output.head.changes * sizeof *output.changes);
        }
    }
    leave(0);
}
