/* Runs single instructions from exact states and reports the exact states after them.
 *
 * Linked with a generated cases.S: the states before, the code slots (instruction + branch to done_a/done_t)
 * and the contents of the scratch window. Every slot is ordinary code in the file, so that a translator sees
 * nothing unusual. Only integer instructions outside the vector part, so that a young emulator can run it.
 * Without the VECTOR macro no floating-point register is touched.
 */

typedef unsigned int word;

struct state {                  /* words 0..12 r0-r12, 13 lr, 14 sp, 15 entry or pc, 16 cpsr, 17 fpscr */
    word r[13], lr, sp, pc, cpsr, fpscr;
    word d[64];
};

struct result {
    struct state after;
    word signal, fault, changes;
};

extern const struct state case_states[];
extern const word case_count, window_words;
extern const word window_before[];
extern word window[];
extern unsigned char output[];

extern struct result *volatile out_pointer;
extern void enter(const struct state *before);
extern void resume(void), restorer(void);

static word system3(word number, word a, word b, word c)
{
    register word r0 __asm__("r0") = a;
    register word r1 __asm__("r1") = b;
    register word r2 __asm__("r2") = c;
    register word r3 __asm__("r3") = 8;         /* rt_sigaction: size of the mask */
    register word r7 __asm__("r7") = number;
    __asm__ volatile("svc 0" : "+r"(r0) : "r"(r1), "r"(r2), "r"(r3), "r"(r7) : "memory");
    return r0;
}

/* A case that jumps to itself for ever ends at the second tick that finds it running. */
static int is_endless(void)
{
    static struct result *seen;
    struct result *before = seen;
    seen = out_pointer;
    return seen && seen == before;
}

static void on_signal(int number, word *info, word *context)
{
    word *registers = context + 8;              /* arm_r0 … arm_pc, arm_cpsr of struct sigcontext */
    struct result *out = out_pointer;
    if (number == 14 && !is_endless())
        return;
    for (int i = 0; i < 13; i++)
        out->after.r[i] = registers[i];
    out->after.sp = registers[13];
    out->after.lr = registers[14];
    out->after.pc = registers[15];
    out->after.cpsr = registers[16];
    out->signal = number;
    out->fault = info[3];
    registers[15] = (word)resume;
    registers[16] &= ~0x0600fe20u;              /* ARM state, little endian, no IT block */
}

static word collect_changes(word *list)
{
    word count = 0;
    for (word i = 0; i < window_words; i++) {
        if (window[i] != window_before[i]) {
            list[2 * count] = (word)&window[i];
            list[2 * count + 1] = window[i];
            window[i] = window_before[i];
            count++;
        }
    }
    return count;
}

static unsigned char signal_stack[16384];

static int write_all(const unsigned char *from, const unsigned char *end)
{
    while (from < end) {
        int written = system3(4, 1, (word)from, end - from);
        if (written > 0)
            from += written;
        else if (written != -4)                 /* EINTR */
            return 0;
    }
    return 1;
}

/* Runs the cases from number argv[1] on; each result is written at once, so that a crash tells where it was. */
int run(const word *arguments)
{
    word stack[3] = { (word)signal_stack, 0, sizeof signal_stack };
    word action[5] = { (word)on_signal, 0x4c000004, (word)restorer, 0, 0 };  /* SIGINFO ONSTACK NODEFER RESTORER */
    static const unsigned char signals[] = { 4, 5, 7, 8, 11, 14 };
    static const word tick[] = { 10, 0, 10, 0 };
    system3(186, (word)stack, 0, 0);            /* sigaltstack */
    for (word i = 0; i < sizeof signals; i++)
        system3(174, signals[i], (word)action, 0);
    system3(104, 0, (word)tick, 0);             /* setitimer: real time, ten seconds */

    word first = 0;
    if (arguments[0] > 1)
        for (const char *digit = (const char *)arguments[2]; *digit; digit++)
            first = first * 10 + *digit - '0';
    for (word i = 0; i < window_words; i++)
        window[i] = window_before[i];
    for (word i = first; i < case_count; i++) {
        struct result *out = (struct result *)output;
        for (word j = 0; j < sizeof *out / 4; j++)
            ((word *)out)[j] = 0;
        out_pointer = out;
        enter(&case_states[i]);
        out_pointer = 0;
        out->changes = collect_changes((word *)(out + 1));
        if (!write_all(output, (unsigned char *)(out + 1) + 8 * out->changes))
            return 1;
    }
    return 0;
}

__asm__(
"       .text\n"
"       .global _start\n"
"_start: mov    r0, sp\n"
"       bl      run\n"
"       mov     r7, #248\n"                     /* exit_group */
"       svc     0\n"
"       .global restorer\n"
"restorer: mov  r7, #173\n"                     /* rt_sigreturn */
"       svc     0\n"

/* The variables lie in the page after the code (.registers), in reach of PC-relative loads: a case leaves no
 * register free. */
"       .macro  register operation, name, at\n"
"9:     \\operation \\name, [pc, #0x1000 + \\at - (9b - trampoline) - 8]\n"
"       .endm\n"
"       .equ    OUT_POINTER, 0\n"
"       .equ    SAVED_SP, 4\n"
"       .equ    SAVED_R0, 8\n"
"       .equ    ENTRY, 12\n"
"       .section .trampoline, \"ax\", %progbits\n"
"       .arm\n"
"trampoline:\n"
"       .org    0xc00\n"
"       .global enter\n"
"enter: push    {r4-r11, lr}\n"
"       register str, sp, SAVED_SP\n"
#ifdef VECTOR
"       .fpu    neon\n"
"       ldr     r1, [r0, #68]\n"
"       vmsr    fpscr, r1\n"
"       add     r2, r0, #72\n"
"       vldmia  r2!, {d0-d15}\n"
"       vldmia  r2, {d16-d31}\n"
#endif
"       ldr     r1, [r0, #64]\n"
"       .arch   armv7-a\n"
"       msr     APSR_nzcvqg, r1\n"
"       ldr     r1, [r0, #60]\n"
"       register str, r1, ENTRY\n"
"       ldr     sp, [r0, #56]\n"
"       ldm     r0, {r0-r12, lr}\n"
"       register ldr, pc, ENTRY\n"

"       .global done_t, done_a, resume\n"
"       .thumb\n"
"       .balign 4\n"
"done_t: bx     pc\n"
"       nop\n"
"       .arm\n"
"done_a: setend le\n"                          /* SETEND and MSR may have changed it */
"       register str, r0, SAVED_R0\n"
"       register ldr, r0, OUT_POINTER\n"
"       str     lr, [r0, #52]\n"
"       str     sp, [r0, #56]\n"
"       add     r0, r0, #4\n"
"       stm     r0, {r1-r12}\n"
"       sub     r0, r0, #4\n"
"       mrs     r1, cpsr\n"
"       str     r1, [r0, #64]\n"
"       register ldr, r1, SAVED_R0\n"
"       str     r1, [r0]\n"
#ifdef VECTOR
"       vmrs    r1, fpscr\n"
"       str     r1, [r0, #68]\n"
"       add     r2, r0, #72\n"
"       vstmia  r2!, {d0-d15}\n"
"       vstmia  r2, {d16-d31}\n"
#endif
"resume: register ldr, sp, SAVED_SP\n"
"       pop     {r4-r11, pc}\n"

"       .section .registers, \"aw\", %progbits\n"
"       .global out_pointer\n"
"out_pointer: .word 0, 0, 0, 0\n"
"       .text\n");
