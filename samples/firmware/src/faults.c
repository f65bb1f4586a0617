/* Every fault, provoked: which exception came, what the status registers say, where the stacked PC points.
   ARMv7-M ARM (DDI 0403E), B1.5.6 to B1.5.15 and B3.2.15 to B3.2.18; ARMv6-M knows only HardFault (DDI 0419, B1.5). */
#include "check.h"

extern const uint32_t vectors[];

#define FORCED (1u << 30)
#define DEBUGEVT (1u << 31)
#define VECTTBL 2u

/* A function that runs `setup`, then one faulting instruction at the label at_NAME. */
#define FAULTY(name, setup, instruction)                                                                             \
    extern const char at_##name[];                                                                                   \
    __attribute__((naked)) static void name(void) {                                                                  \
        __asm__(setup "\n.global at_" #name "\nat_" #name ": " instruction "\nbx lr\n.ltorg");                       \
    }

#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)
#define HOLE_TEXT "0x30000000"
_Static_assert(HOLE == 0x30000000u, "HOLE_TEXT must say the same");

FAULTY(undefined, "", "udf #0")
FAULTY(undefined_wide, "", ".inst.w 0xf7f0a000")
FAULTY(even_branch, "ldr r0, =vectors + 16", "bx r0")
FAULTY(even_pop, "ldr r0, =vectors + 16\n push {r0}", "pop {pc}")
FAULTY(load_hole, "ldr r0, =" HOLE_TEXT, "ldr r0, [r0]")
FAULTY(load_byte_hole, "ldr r0, =" HOLE_TEXT, "ldrb r0, [r0, #3]")
FAULTY(load_many_hole, "ldr r0, =" HOLE_TEXT, "ldmia r0!, {r1, r2}")
FAULTY(fetch_hole, "ldr r0, =" HOLE_TEXT " + 1", "bx r0")
FAULTY(fetch_device, "ldr r0, =0x40000001", "bx r0")
FAULTY(fetch_system, "ldr r0, =0xe0000001", "bx r0")
FAULTY(unaligned_word, "ldr r0, =0x20000001", "ldr r0, [r0]")
FAULTY(unaligned_half, "ldr r0, =0x20000001", "ldrh r0, [r0]")
FAULTY(unaligned_many, "ldr r0, =0x20000002", "ldmia r0!, {r1, r2}")
FAULTY(breakpoint, "", "bkpt #0")
#if V7M
FAULTY(coprocessor, "", "mrc p7, 0, r0, c0, c0, 0")
FAULTY(vmov, "", ".inst.w 0xeeb00a40") /* vmov.f32 s0, s0, whether there is an FPU or not */
FAULTY(unaligned_double, "ldr r0, =0x20000002", "ldrd r0, r1, [r0]")
FAULTY(unaligned_exclusive, "ldr r0, =0x20000001", "ldrex r1, [r0]")
FAULTY(divide, "movs r0, #0\n movs r1, #1", "udiv r0, r1, r0")
FAULTY(divide_signed, "movs r0, #0\n movs r1, #1", "sdiv r0, r1, r0")
#endif

struct row {
    const char *name;
    void (*action)(void);
    const void *at; /* the stacked PC, without bit 0; NULL: not looked at */
    uint32_t number, cfsr, hfsr, address;
};

static void report(const struct row *row) {
    uint32_t pc = (uint32_t)row->at & ~1u;
    uint32_t address = fault.cfsr & 0x8000 ? fault.bfar : fault.cfsr & 0x80 ? fault.mmfar : 0;
    bool good = fault.number == row->number && fault.cfsr == row->cfsr && fault.hfsr == row->hfsr && address == row->address
                && (!row->at || fault.frame.pc == pc);
    check(row->name, good, true);
    print("  exception %u cfsr 0x%08x hfsr 0x%08x address 0x%08x", fault.number, fault.cfsr, fault.hfsr, address);
    if (row->at) print(" pc %s", fault.frame.pc == pc ? "right" : "wrong");
    print("\n");
}

static void run(const struct row *rows, unsigned count) {
    for (unsigned n = 0; n < count; n++) {
        trial(rows[n].action);
        report(&rows[n]);
    }
}
#define RUN(rows) run(rows, sizeof rows / sizeof *rows)

#if !V7M
static const struct row hard_faults[] = {
    {"undefined", undefined, at_undefined, HARD_FAULT, 0, 0, 0},
    {"undefined, 32 bits", undefined_wide, at_undefined_wide, HARD_FAULT, 0, 0, 0},
    {"branch to an even address", even_branch, vectors + 4, HARD_FAULT, 0, 0, 0},
    {"pop of an even address", even_pop, vectors + 4, HARD_FAULT, 0, 0, 0},
    {"load from a hole", load_hole, at_load_hole, HARD_FAULT, 0, 0, 0},
    {"byte from a hole", load_byte_hole, at_load_byte_hole, HARD_FAULT, 0, 0, 0},
    {"ldm from a hole", load_many_hole, at_load_many_hole, HARD_FAULT, 0, 0, 0},
    {"fetch from a hole", fetch_hole, (void *)HOLE, HARD_FAULT, 0, 0, 0},
    {"fetch from a device", fetch_device, (void *)0x40000000, HARD_FAULT, 0, 0, 0},
    {"fetch from the system space", fetch_system, (void *)0xE0000000, HARD_FAULT, 0, 0, 0},
    {"unaligned word", unaligned_word, at_unaligned_word, HARD_FAULT, 0, 0, 0},
    {"unaligned halfword", unaligned_half, at_unaligned_half, HARD_FAULT, 0, 0, 0},
    {"unaligned ldm", unaligned_many, at_unaligned_many, HARD_FAULT, 0, 0, 0},
    {"breakpoint", breakpoint, at_breakpoint, HARD_FAULT, 0, 0, 0},
};

int main(void) {
    print("faults on %s\n", BOARD);
    RUN(hard_faults);
    return verdict();
}
#else

static const struct row own_handlers[] = {
    {"undefinstr", undefined, at_undefined, USAGE_FAULT, 1u << 16, 0, 0},
    {"undefinstr, 32 bits", undefined_wide, at_undefined_wide, USAGE_FAULT, 1u << 16, 0, 0},
    {"invstate by bx", even_branch, vectors + 4, USAGE_FAULT, 1u << 17, 0, 0},
    {"invstate by pop", even_pop, vectors + 4, USAGE_FAULT, 1u << 17, 0, 0},
    {"nocp", coprocessor, at_coprocessor, USAGE_FAULT, 1u << 19, 0, 0},
    {"unaligned ldm", unaligned_many, at_unaligned_many, USAGE_FAULT, 1u << 24, 0, 0},
    {"unaligned ldrd", unaligned_double, at_unaligned_double, USAGE_FAULT, 1u << 24, 0, 0},
    {"unaligned ldrex", unaligned_exclusive, at_unaligned_exclusive, USAGE_FAULT, 1u << 24, 0, 0},
    {"unaligned ldr is allowed", unaligned_word, NULL, 0, 0, 0, 0},
    {"division by zero is allowed", divide, NULL, 0, 0, 0, 0},
    {"preciserr by ldr", load_hole, at_load_hole, BUS_FAULT, 0x8200, 0, HOLE},
    {"preciserr by ldrb", load_byte_hole, at_load_byte_hole, BUS_FAULT, 0x8200, 0, HOLE + 3},
    {"preciserr by ldm", load_many_hole, at_load_many_hole, BUS_FAULT, 0x8200, 0, HOLE},
    {"ibuserr", fetch_hole, (void *)HOLE, BUS_FAULT, 0x100, 0, 0},
    {"iaccviol in the device space", fetch_device, (void *)0x40000000, MEM_MANAGE, 1, 0, 0},
    {"iaccviol in the system space", fetch_system, (void *)0xE0000000, MEM_MANAGE, 1, 0, 0},
    {"debugevt", breakpoint, at_breakpoint, HARD_FAULT, 0, DEBUGEVT, 0},
};

static const struct row traps[] = {
    {"unaligned ldr trapped", unaligned_word, at_unaligned_word, USAGE_FAULT, 1u << 24, 0, 0},
    {"unaligned ldrh trapped", unaligned_half, at_unaligned_half, USAGE_FAULT, 1u << 24, 0, 0},
    {"divbyzero udiv", divide, at_divide, USAGE_FAULT, 1u << 25, 0, 0},
    {"divbyzero sdiv", divide_signed, at_divide_signed, USAGE_FAULT, 1u << 25, 0, 0},
};

static const struct row no_fpu[] = {
    {"nocp by a floating-point instruction", vmov, at_vmov, USAGE_FAULT, 1u << 19, 0, 0},
};

static const struct row escalated[] = {
    {"forced undefinstr", undefined, at_undefined, HARD_FAULT, 1u << 16, FORCED, 0},
    {"forced invstate", even_branch, vectors + 4, HARD_FAULT, 1u << 17, FORCED, 0},
    {"forced preciserr", load_hole, at_load_hole, HARD_FAULT, 0x8200, FORCED, HOLE},
    {"forced ibuserr", fetch_hole, (void *)HOLE, HARD_FAULT, 0x100, FORCED, 0},
    {"forced iaccviol", fetch_device, (void *)0x40000000, HARD_FAULT, 1, FORCED, 0},
};

/* ---- exception entry and return ---- */

static void bad_exc_return(struct frame *frame, uint32_t exc_return) {
    (void)exc_return;
    __asm__ volatile("msr msp, %0\n bx %1" : : "r"(frame), "r"(0xFFFFFFF3));
}

static void bad_ipsr(struct frame *frame, uint32_t exc_return) {
    (void)exc_return;
    frame->xpsr |= 3;
}

static void lose_psp(struct frame *frame, uint32_t exc_return) {
    (void)frame, (void)exc_return;
    WRITE_SPECIAL(psp, HOLE + 0x100);
}

static void nothing(struct frame *frame, uint32_t exc_return) { (void)frame, (void)exc_return; }

FAULTY(supervisor_call, "", "svc #0")

__attribute__((aligned(8), used)) static uint32_t stack[32];
__attribute__((naked)) static void svc_on_psp(void) {
    __asm__("ldr r0, =stack + 128\n msr psp, r0\n movs r0, #2\n msr control, r0\n isb\n svc #0\n bx lr");
}
__attribute__((naked)) static void svc_on_hole(void) {
    __asm__("ldr r0, =" HOLE_TEXT " + 0x100\n msr psp, r0\n movs r0, #2\n msr control, r0\n isb\n svc #0\n bx lr");
}

static void entry_and_return(void) {
    const struct row invpc = {"invpc: illegal exc_return", supervisor_call, at_supervisor_call + 2, USAGE_FAULT, 1u << 18, 0, 0};
    const struct row ipsr = {"invpc: thread mode with an ipsr", supervisor_call, at_supervisor_call + 2, USAGE_FAULT, 1u << 18, 0, 0};
    const struct row unstkerr = {"unstkerr", svc_on_psp, NULL, BUS_FAULT, 0x800, 0, 0};
    const struct row stkerr = {"stkerr", svc_on_hole, NULL, BUS_FAULT, 0x1000, 0, 0};
    hooks[SVCALL] = bad_exc_return;
    run(&invpc, 1);
    check("lr is the illegal exc_return", fault.exc_return, 0xFFFFFFF3);
    hooks[SVCALL] = bad_ipsr;
    run(&ipsr, 1);
    check("lr is the exc_return", fault.exc_return, 0xFFFFFFF9);
    hooks[SVCALL] = lose_psp;
    run(&unstkerr, 1);
    hooks[SVCALL] = nothing;
    run(&stkerr, 1);
    check("exc_return after stkerr", fault.exc_return, 0xFFFFFFFD);
}

/* ---- faults in handlers ---- */

static uint32_t values[4];

static void skip_udf(struct frame *frame, uint32_t exc_return) {
    values[0] = READ_SPECIAL(ipsr);
    values[1] = HFSR;
    values[2] = CFSR;
    values[3] = exc_return;
    frame->pc += 2;
    clear_fault_status();
}

static void undefined_in_handler(struct frame *frame, uint32_t exc_return) {
    (void)frame, (void)exc_return;
    undefined();
}

static void by_priority(void) {
    hooks[HARD_FAULT] = hooks[USAGE_FAULT] = skip_udf;
    hooks[16 + IRQ_A] = undefined_in_handler;
    system_priority(USAGE_FAULT, 0x40);
    nvic_priority(IRQ_A, 0x80);
    nvic_enable(IRQ_A);
    nvic_pend(IRQ_A);
    check("fault in a handler of lower priority", values[0], USAGE_FAULT);
    check("and its exc_return", values[3], 0xFFFFFFF1);
    nvic_priority(IRQ_A, 0x40);
    nvic_pend(IRQ_A);
    check("fault in a handler of equal priority", values[0], HARD_FAULT);
    check("and hfsr", values[1], FORCED);
    check("and cfsr", values[2], 1u << 16);
    WRITE_SPECIAL(basepri, 0x40);
    undefined();
    check("fault masked by basepri", values[0], HARD_FAULT);
    WRITE_SPECIAL(basepri, 0);
    irq_disable();
    undefined();
    check("fault masked by primask", values[0], HARD_FAULT);
    irq_enable();
    undefined();
    check("fault not masked", values[0], USAGE_FAULT);
    hooks[HARD_FAULT] = hooks[USAGE_FAULT] = NULL;
    system_priority(USAGE_FAULT, 0);
}

/* ---- vector read errors ---- */

#ifdef ROM_END
void default_handler(void);

/* Its second half lies behind the memory: the vectors from IRQ 16 on cannot be read. */
__attribute__((section(".vectors_at_end"), used)) static const uint32_t end_table[32] = {
    [HARD_FAULT] = (uint32_t)default_handler, [BUS_FAULT] = (uint32_t)default_handler};

static uint32_t old_vtor;

static void on_vector_error(struct frame *frame, uint32_t exc_return) {
    (void)frame, (void)exc_return;
    values[0] = READ_SPECIAL(ipsr);
    values[1] = HFSR;
    values[2] = CFSR;
    values[3] = nvic_pending(IRQ_A);
    VTOR = old_vtor;
    nvic_disable(IRQ_A);
    NVIC_ICPR(IRQ_A / 32) = 1u << IRQ_A % 32;
    clear_fault_status();
}

static void vector_error(void) {
    old_vtor = VTOR;
    values[0] = 0;
    hooks[HARD_FAULT] = on_vector_error;
    VTOR = ROM_END - 128;
    sync();
    nvic_enable(IRQ_A);
    nvic_pend(IRQ_A);
    check("vecttbl is a hard fault", values[0], HARD_FAULT);
    check("vecttbl hfsr", values[1] & VECTTBL, VECTTBL);
    check("vecttbl cfsr", values[2], 0);
    VTOR = old_vtor;
    hooks[HARD_FAULT] = NULL;
}
#else
static void vector_error(void) {}
#endif

static void debug_monitor(void) {
    const struct row row = {"debug monitor", breakpoint, at_breakpoint, DEBUG_MONITOR, 0, 0, 0};
    DEMCR |= 1u << 16;
    DFSR = 0x1F;
    run(&row, 1);
    check("dfsr bkpt", DFSR, 2);
    DEMCR &= ~(1u << 16);
}

/* CCR.BFHFNMIGN: a load that fails at priority -1 or -2 goes on as if nothing was. */
static void ignored(void) {
    CCR |= CCR_BFHFNMIGN;
    WRITE_SPECIAL(faultmask, 1);
    load_hole();
    WRITE_SPECIAL(faultmask, 0);
    check("bfhfnmign", CFSR, 0x8200);
    clear_fault_status();
    CCR &= ~CCR_BFHFNMIGN;
}

int main(void) {
    print("faults on %s\n", BOARD);
    SHCSR = SHCSR_MEMFAULTENA | SHCSR_BUSFAULTENA | SHCSR_USGFAULTENA;
    RUN(own_handlers);
    CCR |= CCR_UNALIGN_TRP | CCR_DIV_0_TRP;
    RUN(traps);
    CCR &= ~(CCR_UNALIGN_TRP | CCR_DIV_0_TRP);
    uint32_t access = CPACR;
    CPACR = 0;
    sync();
    RUN(no_fpu);
    CPACR = access;
    sync();
    entry_and_return();
    by_priority();
    vector_error();
    debug_monitor();
    SHCSR = 0;
    RUN(escalated);
    ignored();
    return verdict();
}
#endif
