/* The exception model, checked by itself: what ARMv6-M and ARMv7-M have in common. ARMv6-M ARM (DDI 0419) and ARMv7-M ARM
   (DDI 0403E), B1.5 and B3. What only ARMv7-M has is in exceptions_v7m.c and exceptions_units.c. */
#include "exceptions.h"

static struct frame *frames[3];
static uint32_t returns[3], values[4];

/* A, B, C enter with a capital letter and leave with a small one. */
static void enter_a(struct frame *frame, uint32_t exc_return) {
    frames[0] = frame;
    returns[0] = exc_return;
    mark('A');
    mark('a');
}
static void enter_b(struct frame *frame, uint32_t exc_return) {
    frames[1] = frame;
    returns[1] = exc_return;
    mark('B');
    mark('b');
}
static void enter_c(struct frame *frame, uint32_t exc_return) {
    frames[2] = frame;
    returns[2] = exc_return;
    mark('C');
    mark('c');
}
static void enter_a_pend_b(struct frame *frame, uint32_t exc_return) {
    frames[0] = frame;
    returns[0] = exc_return;
    mark('A');
    nvic_pend(IRQ_B);
    mark('a');
}

void three_interrupts(unsigned a, unsigned b, unsigned c) {
    order_clear();
    hooks[16 + IRQ_A] = enter_a;
    hooks[16 + IRQ_B] = enter_b;
    hooks[16 + IRQ_C] = enter_c;
    nvic_priority(IRQ_A, a);
    nvic_priority(IRQ_B, b);
    nvic_priority(IRQ_C, c);
    nvic_enable(IRQ_A);
    nvic_enable(IRQ_B);
    nvic_enable(IRQ_C);
}

static void reset_state(void) {
    check("reset control", READ_SPECIAL(control) & 3, 0);
    check("reset primask", READ_SPECIAL(primask), 0);
    check("reset ipsr", READ_SPECIAL(ipsr), 0);
}

static void nvic_registers(void) {
    uint32_t bit = 1u << IRQ_A % 32;
    unsigned n = IRQ_A / 32;
    NVIC_ISER(n) = bit;
    check("iser reads", NVIC_ISER(n) & bit, bit);
    check("icer reads the same", NVIC_ICER(n) & bit, bit);
    NVIC_ISER(n) = 0;
    check("iser ignores zeros", NVIC_ISER(n) & bit, bit);
    NVIC_ICER(n) = bit;
    check("icer disables", NVIC_ISER(n) & bit, 0);
    NVIC_ISPR(n) = bit;
    check("ispr pends", NVIC_ISPR(n) & bit, bit);
    check("icpr reads the same", NVIC_ICPR(n) & bit, bit);
    NVIC_ICPR(n) = bit;
    check("icpr clears", NVIC_ISPR(n) & bit, 0);
    nvic_priority(IRQ_A, 0xFF);
    check("implemented priority bits", NVIC_IPR(IRQ_A / 4) >> IRQ_A % 4 * 8 & 0xFF, 0xFFu << (8 - PRIORITY_BITS) & 0xFF);
    system_priority(PENDSV, 0xFF);
    check("implemented bits of system priorities", SHPR(3) >> 16 & 0xFF, 0xFFu << (8 - PRIORITY_BITS) & 0xFF);
    system_priority(PENDSV, 0);
}

static void taking(void) {
    three_interrupts(0x80, 0x40, 0xC0);
    nvic_disable(IRQ_A);
    nvic_pend(IRQ_A);
    check_text("disabled is not taken", order, "");
    nvic_enable(IRQ_A);
    sync();
    check_text("enabled is taken", order, "Aa");
    check("taking clears pending", nvic_pending(IRQ_A), 0);
    hooks[16 + IRQ_A] = enter_a_pend_b;
    order_clear();
    nvic_pend(IRQ_A);
    check_text("higher priority preempts", order, "ABba");
    check("exc_return to thread", returns[0], 0xFFFFFFF9);
    check("exc_return to handler", returns[1], 0xFFFFFFF1);
    check("frame of the nested handler is below", (uint32_t)frames[1] < (uint32_t)frames[0], 1);
    three_interrupts(0x40, 0x40, 0xC0);
    hooks[16 + IRQ_A] = enter_a_pend_b;
    nvic_pend(IRQ_A);
    check_text("equal priority does not preempt", order, "AaBb");
    check("tail-chaining keeps the frame", (uint32_t)frames[1], (uint32_t)frames[0]);
    check("tail-chaining keeps exc_return", returns[1], 0xFFFFFFF9);
    three_interrupts(0x40, 0x80, 0xC0);
    hooks[16 + IRQ_A] = enter_a_pend_b;
    nvic_pend(IRQ_A);
    check_text("lower priority waits", order, "AaBb");
}

static void arbitration(void) {
    three_interrupts(0x80, 0x40, 0xC0);
    irq_disable();
    nvic_pend(IRQ_C);
    nvic_pend(IRQ_A);
    nvic_pend(IRQ_B);
    check_text("primask masks", order, "");
    irq_enable();
    check_text("pending ones come by priority", order, "BbAaCc");
    three_interrupts(0x80, 0x80, 0x80);
    irq_disable();
    nvic_pend(IRQ_C);
    nvic_pend(IRQ_B);
    nvic_pend(IRQ_A);
    irq_enable();
    check_text("equal priorities come by number", order, "AaBbCc");
    three_interrupts(0x80, 0x40, 0xC0);
    irq_disable();
    NVIC_ISPR(IRQ_A / 32) = 1u << IRQ_A % 32;
    if (IRQ_B / 32 == IRQ_A / 32) NVIC_ISPR(IRQ_A / 32) = 1u << IRQ_B % 32;
    else NVIC_ISPR(IRQ_B / 32) = 1u << IRQ_B % 32;
    irq_enable();
    check("late arrival shares the frame", (uint32_t)frames[1], (uint32_t)frames[0]);
    check_text("late arrival comes first", order, "BbAa");
}

static void on_svc(struct frame *frame, uint32_t exc_return) {
    values[0] = *(uint8_t *)(uintptr_t)(frame->pc - 2);
    values[1] = READ_SPECIAL(ipsr);
    values[2] = (uint32_t)frame;
    returns[2] = exc_return;
    frame->r0 = frame->r0 + frame->r1 + frame->r2 + frame->r3;
    mark('S');
}

static uint32_t call_svc(void) {
    register uint32_t r0 __asm__("r0") = 1;
    __asm__ volatile("movs r1, #2\n movs r2, #3\n movs r3, #4\n svc #42" : "+r"(r0) : : "r1", "r2", "r3", "memory");
    return r0;
}

static void enter_a_call_svc(struct frame *frame, uint32_t exc_return) {
    (void)frame, (void)exc_return;
    mark('A');
    call_svc();
    mark('a');
}

static void supervisor_calls(void) {
    hooks[SVCALL] = on_svc;
    system_priority(SVCALL, 0x40);
    check("svc result", call_svc(), 10);
    check("svc number", values[0], 42);
    check("svc ipsr", values[1], SVCALL);
    check("svc exc_return", returns[2], 0xFFFFFFF9);
    three_interrupts(0x80, 0x80, 0x80);
    hooks[16 + IRQ_A] = enter_a_call_svc;
    nvic_pend(IRQ_A);
    check_text("svc in a handler", order, "ASa");
    check("svc in a handler returns to it", returns[2], 0xFFFFFFF1);
    irq_disable();
    trial((void (*)(void))call_svc);
    check("svc with primask is a hard fault", fault.number, HARD_FAULT);
#if V7M
    check("svc with primask hfsr", fault.hfsr, 1u << 30);
#endif
    irq_enable();
}

/* In assembly: no local of a C function may be on the other stack. */
__attribute__((naked)) void on_process_stack(void (*call)(void), uint32_t *top) {
    (void)call, (void)top;
    __asm__("push {r4, lr}\n"
            "msr psp, r1\n movs r1, #2\n msr control, r1\n isb\n"
            "blx r0\n"
            "movs r1, #0\n msr control, r1\n isb\n"
            "pop {r4, pc}\n");
}

static uint32_t process_stack[64] __attribute__((aligned(8)));

__attribute__((noinline)) static void svc_on_psp(void) {
    values[3] = READ_SPECIAL(psp);
    __asm__ volatile("svc #7" ::: "r0", "memory");
}

static void stacks(void) {
    uint32_t msp = READ_SPECIAL(msp);
    hooks[SVCALL] = on_svc;
    WRITE_SPECIAL(psp, 0x20000103);
    check("psp is a multiple of four", READ_SPECIAL(psp), 0x20000100);
    on_process_stack(svc_on_psp, process_stack + 64);
    check("svc on the process stack exc_return", returns[2], 0xFFFFFFFD);
    check("frame is on the process stack", values[2], values[3] - sizeof(struct frame));
    check("psp after return", READ_SPECIAL(psp), (uint32_t)(process_stack + 64));
    check("msp is untouched", READ_SPECIAL(msp), msp);
    check("control is back", READ_SPECIAL(control) & 2, 0);
    on_process_stack(svc_on_psp, process_stack + 63); /* 4 modulo 8 */
    check("stack alignment", values[2] & 7, 0);
    check("stack alignment gap", values[3] - values[2], sizeof(struct frame) + (values[3] & 4));
    check("stack alignment is undone", READ_SPECIAL(psp), (uint32_t)(process_stack + 63));
}

static uint32_t flags_across(uint32_t apsr) {
    uint32_t got;
    __asm__ volatile("msr apsr_nzcvq, %1\n svc #0\n mrs %0, apsr" : "=&r"(got) : "r"(apsr) : "cc", "r0", "memory");
    return got & 0xF0000000;
}

static void state_across(void) {
    check("flags nzcv survive", flags_across(0xF0000000), 0xF0000000);
    check("flags zero survive", flags_across(0), 0);
    check("flags n c survive", flags_across(0xA0000000), 0xA0000000);
}

static void on_pendsv(struct frame *frame, uint32_t exc_return) {
    frames[2] = frame;
    returns[2] = exc_return;
    values[0] = READ_SPECIAL(ipsr);
    mark('P');
}

static void enter_a_pend_sv(struct frame *frame, uint32_t exc_return) {
    (void)exc_return;
    frames[0] = frame;
    mark('A');
    ICSR = ICSR_PENDSVSET;
    sync();
    mark('a');
}

static void pendsv(void) {
    hooks[PENDSV] = on_pendsv;
    system_priority(PENDSV, 0xC0);
    irq_disable();
    order_clear();
    ICSR = ICSR_PENDSVSET;
    check("pendsvset reads 1", ICSR & ICSR_PENDSVSET, ICSR_PENDSVSET);
    ICSR = ICSR_PENDSVCLR;
    check("pendsvclr clears", ICSR & ICSR_PENDSVSET, 0);
    irq_enable();
    check_text("cleared pendsv is not taken", order, "");
    ICSR = ICSR_PENDSVSET;
    sync();
    check_text("pendsv in thread mode", order, "P");
    check("pendsv ipsr", values[0], PENDSV);
    three_interrupts(0x80, 0x80, 0x80);
    hooks[16 + IRQ_A] = enter_a_pend_sv;
    nvic_pend(IRQ_A);
    check_text("pendsv after the handler", order, "AaP");
    check("pendsv is tail-chained", (uint32_t)frames[2], (uint32_t)frames[0]);
}

/* NMI itself pends NMI once more while it is active: it runs again, after it has returned, and only then. */
static void on_nmi_once(struct frame *frame, uint32_t exc_return) {
    (void)frame, (void)exc_return;
    values[0] = READ_SPECIAL(ipsr);
    mark('N');
    if (!order[1]) {
        ICSR = ICSR_NMIPENDSET;
        sync();
    }
    mark('n');
}

static void nmi(void) {
    hooks[NMI] = on_nmi_once;
    order_clear();
    irq_disable();
    ICSR = ICSR_NMIPENDSET;
    sync();
    irq_enable();
    check_text("nmi ignores primask and does not nest", order, "NnNn");
    check("nmi ipsr", values[0], NMI);
}

static volatile uint32_t ticks;
static uint32_t ticks_wanted;

void on_tick(void) {
    ticks++;
    if (ticks_wanted && ticks >= ticks_wanted) SCR = 0;
}

static void sleeping(void) {
    three_interrupts(0x80, 0x80, 0x80);
    irq_disable();
    nvic_pend(IRQ_A);
    wfi();
    check_text("wfi ends with a masked interrupt", order, "");
    irq_enable();
    check_text("which is taken when unmasked", order, "Aa");
    nvic_disable(IRQ_A);
    sev();
    wfe();
    SCR = SCR_SEVONPEND;
    nvic_pend(IRQ_A);
    wfe();
    check_text("sevonpend wakes for a disabled interrupt", order, "Aa");
    SCR = 0;
    NVIC_ICPR(IRQ_A / 32) = 1u << IRQ_A % 32;
    sev();
    wfe(); /* the event register is empty now */
    ticks_wanted = 0;
    board_ticks(200);
    uint32_t before = ticks;
    wfe();
    check("wfe waits for the tick", ticks - before, 1);
    ticks_wanted = ticks + 3;
    before = ticks;
    SCR = SCR_SLEEPONEXIT;
    wfi();
    check("sleep on exit lets handlers run alone", ticks - before, 3);
    SCR = 0;
}

int main(void) {
    print("exceptions on %s\n", BOARD);
    reset_state();
    nvic_registers();
    taking();
    arbitration();
    supervisor_calls();
    stacks();
    state_across();
    pendsv();
    nmi();
    sleeping();
    exceptions_v7m();
    exceptions_units();
    return verdict();
}
