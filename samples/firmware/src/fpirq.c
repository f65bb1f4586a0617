/* Floating point in Thread mode and in nested interrupts: what is stacked, when, and that nothing is lost.
   ARMv7-M ARM (DDI 0403E), B1.5.7 (lazy stacking), B3.2.20 to B3.2.22. */
#include "check.h"

#define ASPEN (1u << 31)
#define LSPEN (1u << 30)
#define LSPACT 1u
#define FPCA 4u
#define PATTERN 0xDEADBEEFu

static uint32_t mine[32], seen[32], frame_words[34], values[10];
static uint32_t stack[128] __attribute__((aligned(256)));

/* Inlined, so that a handler saves the callee-saved ones first. */
__attribute__((always_inline)) static inline void load_registers(const uint32_t *from) {
    __asm__ volatile("vldmia %0, {s0-s31}"
                     :
                     : "r"(from)
                     : "memory", "s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "s12", "s13", "s14", "s15",
                       "s16", "s17", "s18", "s19", "s20", "s21", "s22", "s23", "s24", "s25", "s26", "s27", "s28", "s29", "s30", "s31");
}

static void store_registers(uint32_t *to) { __asm__ volatile("vstmia %0, {s0-s31}" : : "r"(to) : "memory"); }

static uint32_t get_fpscr(void) {
    uint32_t value;
    __asm__ volatile("vmrs %0, fpscr" : "=r"(value));
    return value;
}

static void set_fpscr(uint32_t value) { __asm__ volatile("vmsr fpscr, %0" : : "r"(value)); }

static void forget_fp(void) { WRITE_SPECIAL(control, READ_SPECIAL(control) & ~FPCA); }

/* Fills the registers, runs `action`, and counts the registers that changed. */
static unsigned lost_across(void (*action)(void)) {
    unsigned lost = 0;
    for (unsigned n = 0; n < 32; n++) mine[n] = 0x40000000u + n * 0x01010101u;
    load_registers(mine);
    action();
    store_registers(seen);
    for (unsigned n = 0; n < 32; n++) lost += seen[n] != mine[n];
    return lost;
}

static void pend_a(void) { nvic_pend(IRQ_A); }

static void keep(struct frame *frame, uint32_t exc_return) {
    values[0] = exc_return;
    values[1] = FPCCR;
    values[2] = FPCAR;
    values[3] = (uint32_t)frame;
    values[4] = READ_SPECIAL(control);
    for (unsigned n = 0; n < 26; n++) frame_words[n] = ((volatile uint32_t *)frame)[n];
}

/* The same, then uses floating point, then looks at the frame again. */
static void keep_and_compute(struct frame *frame, uint32_t exc_return) {
    static const uint32_t other[32] = {0x3F800000, 0x3F800000};
    keep(frame, exc_return);
    values[6] = get_fpscr(); /* the first use: from here on the frame is complete */
    values[5] = FPCCR;
    load_registers(other);
    for (unsigned n = 0; n < 26; n++) frame_words[n] = ((volatile uint32_t *)frame)[n];
}

static void compute_and_pend_b(struct frame *frame, uint32_t exc_return) {
    static const uint32_t own[32] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, [31] = 32};
    uint32_t after[32];
    (void)frame, (void)exc_return;
    load_registers(own);
    nvic_pend(IRQ_B);
    store_registers(after);
    values[7] = 0;
    for (unsigned n = 0; n < 32; n++) values[7] += after[n] != own[n];
}

static void prepare(hook *a, hook *b) {
    hooks[16 + IRQ_A] = a;
    hooks[16 + IRQ_B] = b;
    nvic_priority(IRQ_A, 0x80);
    nvic_priority(IRQ_B, 0x40);
    nvic_enable(IRQ_A);
    nvic_enable(IRQ_B);
}

static void context_tracking(void) {
    check("fpccr at reset", FPCCR & (ASPEN | LSPEN), ASPEN | LSPEN);
    forget_fp();
    check("control.fpca clear", READ_SPECIAL(control) & FPCA, 0);
    prepare(keep, keep);
    nvic_pend(IRQ_A);
    check("without fp: exc_return", values[0], 0xFFFFFFF9);
    set_fpscr(0);
    check("an fp instruction sets control.fpca", READ_SPECIAL(control) & FPCA, FPCA);
    nvic_pend(IRQ_A);
    check("with fp: exc_return", values[0], 0xFFFFFFE9);
    check("with fp: control.fpca in the handler", values[4] & FPCA, 0);
    check("with fp: control.fpca afterwards", READ_SPECIAL(control) & FPCA, FPCA);
}

static void lazy(void) {
    prepare(keep, keep);
    check("lazy, fp not used: registers", lost_across(pend_a), 0);
    check("lazy: lspact", values[1] & LSPACT, LSPACT);
    check("lazy: fpcar", values[2], values[3] + sizeof(struct frame));
    check("lazy: lspact afterwards", FPCCR & LSPACT, 0);
    prepare(keep_and_compute, keep);
    check("lazy, fp used: registers", lost_across(pend_a), 0);
    check("lazy: first use clears lspact", values[5] & LSPACT, 0);
    check("lazy: first use saves s0", frame_words[8], mine[0]);
    check("lazy: first use saves s15", frame_words[23], mine[15]);
    prepare(compute_and_pend_b, keep_and_compute);
    check("nested: registers of the thread", lost_across(pend_a), 0);
    check("nested: registers of the handler", values[7], 0);
    check("nested: exc_return", values[0], 0xFFFFFFE1);
}

static void eager(void) {
    FPCCR = ASPEN;
    sync();
    prepare(keep, keep);
    check("eager: registers", lost_across(pend_a), 0);
    check("eager: lspact", values[1] & LSPACT, 0);
    check("eager: s0 in the frame", frame_words[8], mine[0]);
    check("eager: s15 in the frame", frame_words[23], mine[15]);
    FPCCR = 0;
    sync();
    forget_fp();
    load_registers(mine);
    nvic_pend(IRQ_A);
    check("no aspen: exc_return", values[0], 0xFFFFFFF9);
    FPCCR = ASPEN | LSPEN;
    sync();
}

static void status_register(void) {
    prepare(keep_and_compute, keep);
    FPDSCR = 1u << 22; /* round up in new contexts */
    set_fpscr(0xB0C00010);
    nvic_pend(IRQ_A);
    check("fpscr in the handler is fpdscr", values[6] & 0x07C00000, 1u << 22);
    check("fpscr in the frame", frame_words[24], 0xB0C00010);
    check("fpscr afterwards", get_fpscr(), 0xB0C00010);
    FPDSCR = 0;
    set_fpscr(0);
}

/* ---- results while interrupts come at any time ---- */

static volatile uint32_t ticks;
static volatile float ticks_sum;

void on_tick(void) {
    ticks++;
    ticks_sum = ticks_sum * 0.5f + 1.0f;
    nvic_pend(IRQ_A);
}

static uint32_t single_sum(void) {
    union { float f; uint32_t u; } sum = {.f = 0};
    for (int n = 1; n < 4000; n++) {
        float term = 1.0f / (float)n;
        sum.f += n & 1 ? term : -term;
        __asm__ volatile("" ::: "memory");
    }
    return sum.u;
}

#if __ARM_FP & 8
static uint32_t double_sum(void) {
    union { double d; uint32_t u[2]; } sum = {.d = 0};
    for (int n = 1; n < 4000; n++) {
        double term = 1.0 / n;
        sum.d += n & 1 ? term : -term;
        __asm__ volatile("" ::: "memory");
    }
    return sum.u[0] ^ sum.u[1];
}
#endif

static void stirred(const char *name, uint32_t (*compute)(void)) {
    uint32_t want = compute(), until = ticks + 40, good = 1;
    board_ticks(2000);
    do good &= compute() == want;
    while ((int32_t)(ticks - until) < 0);
    SYST_CSR = 0;
    check(name, good, 1);
    print("  0x%08x\n", want);
}

static void results(void) {
    prepare(compute_and_pend_b, keep_and_compute);
    system_priority(SYSTICK, 0xC0);
    stirred("single precision under interrupts", single_sum);
#if __ARM_FP & 8
    stirred("double precision under interrupts", double_sum);
#endif
    union { float f; uint32_t u; } sum = {.f = ticks_sum};
    check("the tick's own sum", sum.u, 0x40000000); /* the limit of x/2 + 1 */
}

/* ---- process stack, and a lazy save that is not allowed ---- */

__attribute__((naked)) static void svc_on(uint32_t *psp) {
    (void)psp;
    __asm__("msr psp, r0\n mrs r1, control\n movs r2, #2\n orrs r1, r2\n msr control, r1\n isb\n"
            "svc #0\n"
            "mrs r1, control\n movs r2, #2\n bics r1, r2\n msr control, r1\n isb\n bx lr");
}
static uint32_t *psp;
static void svc_on_stack(void) { svc_on(psp); }

static void on_mem_manage(struct frame *frame, uint32_t exc_return) {
    (void)frame;
    values[8] = CFSR;
    values[9] = exc_return;
    MPU_CTRL = 0;
    sync();
    clear_fault_status();
}

static void process_stack(void) {
    hooks[SVCALL] = keep_and_compute;
    psp = stack + 128;
    check("process stack: registers", lost_across(svc_on_stack), 0);
    check("process stack: exc_return", values[0], 0xFFFFFFED);
    check("process stack: frame of 26 words", values[3], (uint32_t)(stack + 128 - 26));
    stack[31] = PATTERN;
    psp = stack + 64 + 18; /* the 18 FP words lie in the forbidden upper part, the other 8 below it */
    MPU_RNR = 0;
    MPU_RBAR = (uint32_t)(stack + 64);
    MPU_RASR = 0x00060000u | 7u << 1 | 1u; /* no access, 256 bytes */
    SHCSR = SHCSR_MEMFAULTENA;
    hooks[MEM_MANAGE] = on_mem_manage;
    system_priority(SVCALL, 0xC0);
    MPU_CTRL = 5;
    sync();
    values[8] = 0;
    hooks[SVCALL] = compute_and_pend_b;
    check("mlsperr: registers", lost_across(svc_on_stack), 0);
    check("mlsperr: cfsr", values[8], 0x20);
    check("mlsperr: exc_return", values[9], 0xFFFFFFF1);
    MPU_CTRL = 0;
    SHCSR = 0;
}

int main(void) {
    print("fpirq on %s\n", BOARD);
    context_tracking();
    lazy();
    eager();
    status_register();
    results();
    process_stack();
    return verdict();
}
