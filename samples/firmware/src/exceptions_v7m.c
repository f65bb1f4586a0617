/* The exception model: what only ARMv7-M has. ARMv7-M ARM (DDI 0403E), B1.4, B1.5, B3. */
#include "exceptions.h"

#if !V7M
void exceptions_v7m(void) {}
#else

static uint32_t values[6];

static void reset_values(void) {
    check("reset basepri", READ_SPECIAL(basepri), 0);
    check("reset faultmask", READ_SPECIAL(faultmask), 0);
    check("reset ccr stkalign", CCR & CCR_STKALIGN, CCR_STKALIGN);
    check("reset shcsr", SHCSR, 0);
    check("reset cfsr", CFSR, 0);
    check("reset hfsr", HFSR, 0);
    check("aircr reads vectkeystat", AIRCR >> 16, 0xFA05);
}

/* ---- what a handler sees of itself ---- */

static void look(struct frame *frame, uint32_t exc_return) {
    (void)frame, (void)exc_return;
    values[0] = ICSR;
    values[1] = NVIC_IABR(IRQ_A / 32) >> IRQ_A % 32 & 1;
    values[2] = NVIC_ISPR(IRQ_A / 32) >> IRQ_A % 32 & 1;
    values[3] = SHCSR;
}

static void active_state(void) {
    three_interrupts(0x80, 0x40, 0xC0);
    hooks[16 + IRQ_A] = look;
    irq_disable();
    nvic_pend(IRQ_A);
    check("icsr isrpending", ICSR & ICSR_ISRPENDING, ICSR_ISRPENDING);
    check("icsr vectpending", ICSR >> 12 & 0x1FF, 16 + IRQ_A);
    nvic_pend(IRQ_B);
    check("icsr vectpending is the highest", ICSR >> 12 & 0x1FF, 16 + IRQ_B);
    check("icsr vectactive in thread mode", ICSR & 0x1FF, 0);
    irq_enable();
    check("icsr vectactive", values[0] & 0x1FF, 16 + IRQ_A);
    check("icsr rettobase", values[0] & ICSR_RETTOBASE, ICSR_RETTOBASE);
    check("iabr in the handler", values[1], 1);
    check("ispr in the handler", values[2], 0);
    check("iabr afterwards", NVIC_IABR(IRQ_A / 32) >> IRQ_A % 32 & 1, 0);
    hooks[SVCALL] = look;
    __asm__ volatile("svc #0" ::: "memory");
    check("shcsr svcallact", values[3], 1u << 7);
    hooks[PENDSV] = look;
    ICSR = ICSR_PENDSVSET;
    sync();
    check("shcsr pendsvact", values[3], 1u << 10);
    hooks[NMI] = look;
    ICSR = ICSR_NMIPENDSET;
    sync();
    check("nmi vectactive", values[0] & 0x1FF, NMI);
}

static void on_usage_fault(struct frame *frame, uint32_t exc_return) {
    (void)frame, (void)exc_return;
    mark('U');
    values[4] = CFSR;
}

static void shcsr(void) {
    SHCSR = SHCSR_MEMFAULTENA | SHCSR_BUSFAULTENA | SHCSR_USGFAULTENA;
    check("shcsr enables", SHCSR, SHCSR_MEMFAULTENA | SHCSR_BUSFAULTENA | SHCSR_USGFAULTENA);
    hooks[USAGE_FAULT] = on_usage_fault;
    order_clear();
    SHCSR |= 1u << 12;
    sync();
    check_text("shcsr usgfaultpended pends it", order, "U");
    check("and cfsr stays 0", values[4], 0);
    hooks[USAGE_FAULT] = NULL;
    hooks[SVCALL] = look;
    values[3] = 0;
    SHCSR |= 1u << 15;
    sync();
    check("shcsr svcallpended pends svcall", values[3] >> 7 & 1, 1);
    SHCSR = 0;
}

/* ---- masks, priorities ---- */

static void basepri(void) {
    three_interrupts(0x80, 0x40, 0xC0);
    WRITE_SPECIAL(basepri, 0x80);
    nvic_pend(IRQ_A);
    nvic_pend(IRQ_C);
    nvic_pend(IRQ_B);
    check_text("basepri masks its own priority and below", order, "Bb");
    WRITE_SPECIAL(basepri, 0xC0);
    check_text("lowering basepri lets the next one in", order, "BbAa");
    WRITE_SPECIAL(basepri, 0);
    check_text("basepri 0 masks nothing", order, "BbAaCc");
    WRITE_SPECIAL(basepri_max, 0x80);
    check("basepri_max sets", READ_SPECIAL(basepri), 0x80);
    WRITE_SPECIAL(basepri_max, 0xC0);
    check("basepri_max does not lower", READ_SPECIAL(basepri), 0x80);
    WRITE_SPECIAL(basepri_max, 0x40);
    check("basepri_max raises", READ_SPECIAL(basepri), 0x40);
    WRITE_SPECIAL(basepri_max, 0);
    check("basepri_max ignores 0", READ_SPECIAL(basepri), 0x40);
    WRITE_SPECIAL(basepri, 0xFF);
    check("basepri has the implemented bits", READ_SPECIAL(basepri), 0xFFu << (8 - PRIORITY_BITS) & 0xFF);
    WRITE_SPECIAL(basepri, 0);
}

static void enter_a_set_faultmask(struct frame *frame, uint32_t exc_return) {
    (void)frame, (void)exc_return;
    mark('A');
    WRITE_SPECIAL(faultmask, 1);
    nvic_pend(IRQ_B);
    mark('a');
}

static void nmi_mark(struct frame *frame, uint32_t exc_return) {
    (void)frame, (void)exc_return;
    mark('N');
    WRITE_SPECIAL(faultmask, 1);
    values[5] = READ_SPECIAL(faultmask);
}

static void faultmask(void) {
    three_interrupts(0x80, 0x40, 0xC0);
    hooks[NMI] = nmi_mark;
    WRITE_SPECIAL(faultmask, 1);
    nvic_pend(IRQ_B);
    ICSR = ICSR_NMIPENDSET;
    sync();
    check_text("faultmask lets only nmi in", order, "N");
    check("faultmask after nmi", READ_SPECIAL(faultmask), 1);
    WRITE_SPECIAL(faultmask, 0);
    check_text("faultmask cleared", order, "NBb");
    ICSR = ICSR_NMIPENDSET;
    sync();
    check("faultmask cannot be set in nmi", values[5], 0);
    WRITE_SPECIAL(faultmask, 0);
    order_clear();
    hooks[16 + IRQ_A] = enter_a_set_faultmask;
    nvic_pend(IRQ_A);
    check_text("faultmask ends with the handler", order, "AaBb");
    check("faultmask reads 0 again", READ_SPECIAL(faultmask), 0);
    __asm__ volatile("cpsid f" ::: "memory");
    check("cpsid f", READ_SPECIAL(faultmask), 1);
    __asm__ volatile("cpsie f" ::: "memory");
    check("cpsie f", READ_SPECIAL(faultmask), 0);
}

static void enter_a_pend_b(struct frame *frame, uint32_t exc_return) {
    (void)frame, (void)exc_return;
    mark('A');
    nvic_pend(IRQ_C);
    nvic_pend(IRQ_B);
    mark('a');
}

static void grouping(void) {
    three_interrupts(0x80, 0x40, 0xC0);
    hooks[16 + IRQ_A] = enter_a_pend_b;
    AIRCR = 7u << 8;
    check("aircr without the key is ignored", AIRCR >> 8 & 7, 0);
    AIRCR = AIRCR_VECTKEY | 7u << 8;
    check("prigroup reads", AIRCR >> 8 & 7, 7);
    nvic_pend(IRQ_A);
    check_text("prigroup 7: nobody preempts, subpriority orders", order, "AaBbCc");
    AIRCR = AIRCR_VECTKEY | 6u << 8;
    order_clear();
    nvic_pend(IRQ_A);
    check_text("prigroup 6: bit 7 preempts", order, "ABbaCc");
    three_interrupts(0xC0, 0x80, 0x80);
    hooks[16 + IRQ_A] = enter_a_pend_b;
    nvic_pend(IRQ_A);
    check_text("prigroup 6: bit 6 is subpriority", order, "AaBbCc");
    WRITE_SPECIAL(basepri, 0xC0);
    order_clear();
    nvic_pend(IRQ_B);
    check_text("prigroup 6: basepri compares groups", order, "");
    WRITE_SPECIAL(basepri, 0);
    check_text("prigroup 6: basepri released", order, "Bb");
    AIRCR = AIRCR_VECTKEY;
}

static void software_trigger(void) {
    three_interrupts(0x80, 0x40, 0xC0);
    STIR = IRQ_B;
    sync();
    check_text("stir", order, "Bb");
}

/* ---- vectors, stack alignment, unprivileged code ---- */

static uint32_t table[256] __attribute__((aligned(1024)));

static void from_new_table(void) { mark('V'); }

static void vtor(void) {
    extern const uint32_t vectors[];
    uint32_t old = VTOR;
    for (unsigned n = 0; n < 16 + IRQS; n++) table[n] = vectors[n];
    table[16 + IRQ_A] = (uint32_t)from_new_table;
    VTOR = (uint32_t)table;
    sync();
    check("vtor reads", VTOR, (uint32_t)table);
    three_interrupts(0x80, 0x40, 0xC0);
    nvic_pend(IRQ_A);
    nvic_pend(IRQ_B);
    check_text("vtor is used", order, "VBb");
    VTOR = old | 0x7F;
    check("vtor low bits", VTOR, old);
    VTOR = old;
    sync();
}

static uint32_t stack[64] __attribute__((aligned(8)));

static void keep_frame(struct frame *frame, uint32_t exc_return) {
    values[0] = (uint32_t)frame;
    values[1] = frame->xpsr;
    values[2] = exc_return;
}

__attribute__((naked)) static void bare_svc(void) { __asm__("svc #0\n bx lr"); }

static void alignment(void) {
    uint32_t top = (uint32_t)(stack + 64);
    hooks[SVCALL] = keep_frame;
    on_process_stack(bare_svc, stack + 64);
    check("aligned: xpsr bit 9", values[1] >> 9 & 1, 0);
    check("aligned: frame", values[0], top - 32);
    on_process_stack(bare_svc, stack + 63);
    check("unaligned: xpsr bit 9", values[1] >> 9 & 1, 1);
    check("unaligned: frame", values[0], top - 40);
    check("unaligned: psp afterwards", READ_SPECIAL(psp), top - 4);
    CCR &= ~CCR_STKALIGN;
    if (IS_M7) {
        check("stkalign is fixed on M7", CCR & CCR_STKALIGN, CCR_STKALIGN);
        return;
    }
    on_process_stack(bare_svc, stack + 63);
    check("stkalign 0: xpsr bit 9", values[1] >> 9 & 1, 0);
    check("stkalign 0: frame", values[0], top - 36);
    CCR |= CCR_STKALIGN;
}

static void make_privileged(struct frame *frame, uint32_t exc_return) {
    (void)frame;
    values[2] = exc_return;
    WRITE_SPECIAL(control, READ_SPECIAL(control) & ~1u);
}

static void unprivileged_moves(void) {
    WRITE_SPECIAL(control, 1);
    irq_disable();
    WRITE_SPECIAL(basepri, 0x40);
    WRITE_SPECIAL(control, 0);
    WRITE_SPECIAL(apsr_nzcvq, 0x60000000);
    uint32_t apsr = READ_SPECIAL(apsr);
    values[0] = READ_SPECIAL(control);
    values[1] = READ_SPECIAL(msp);
    values[3] = READ_SPECIAL(primask);
    values[4] = apsr & 0xF0000000;
    __asm__ volatile("svc #1" ::: "memory");
}

static void unprivileged_scs(void) {
    WRITE_SPECIAL(control, 1);
    values[0] = CPUID;
}

static void unprivileged_stir(void) {
    WRITE_SPECIAL(control, 1);
    STIR = IRQ_B;
}

static void unprivileged_stir_allowed(void) {
    unprivileged_stir();
    __asm__ volatile("svc #1" ::: "memory");
}

static void unprivileged(void) {
    hooks[SVCALL] = make_privileged;
    unprivileged_moves();
    check("unprivileged control reads", values[0], 1);
    check("unprivileged msp reads 0", values[1], 0);
    check("unprivileged primask reads 0", values[3], 0);
    check("unprivileged apsr is writable", values[4], 0x60000000);
    check("svc from unprivileged exc_return", values[2], 0xFFFFFFF9);
    check("privileged again", READ_SPECIAL(control), 0);
    check("unprivileged cps had no effect", READ_SPECIAL(primask), 0);
    check("unprivileged msr basepri had no effect", READ_SPECIAL(basepri), 0);
    SHCSR = SHCSR_BUSFAULTENA;
    trial(unprivileged_scs);
    check("unprivileged scs read faults", fault.number, BUS_FAULT);
    check("unprivileged scs cfsr", fault.cfsr, 0x8200);
    check("unprivileged scs bfar", fault.bfar, 0xE000ED00);
    trial(unprivileged_stir);
    check("unprivileged stir faults", fault.number, BUS_FAULT);
    CCR |= CCR_USERSETMPEND;
    three_interrupts(0x80, 0x40, 0xC0);
    trial(unprivileged_stir_allowed);
    check("unprivileged stir with usersetmpend", fault.number, 0);
    check_text("unprivileged stir pends", order, "Bb");
    CCR &= ~CCR_USERSETMPEND;
    SHCSR = 0;
}

static void exclusives(void) {
    uint32_t word = 1, status;
    hooks[SVCALL] = keep_frame;
    __asm__ volatile("ldrex %0, [%1]\n strex %0, %2, [%1]" : "=&r"(status) : "r"(&word), "r"(2) : "memory");
    check("strex succeeds", status << 8 | word, 2);
    __asm__ volatile("ldrex %0, [%1]\n svc #0\n strex %0, %2, [%1]" : "=&r"(status) : "r"(&word), "r"(3) : "memory");
    check("an exception clears the monitor", status << 8 | word, 0x102);
}

static void it_blocks(void) {
    uint32_t a = 0, b = 0, c = 0;
    hooks[SVCALL] = keep_frame;
    __asm__ volatile("cmp %0, #0\n itete eq\n moveq %0, #1\n movne %1, #2\n svceq #0\n movne %1, #3\n"
                     "ite ne\n movne %2, #4\n moveq %2, #5"
                     : "+r"(a), "+r"(b), "+r"(c)
                     :
                     : "cc", "memory");
    check("svc in an it block", a << 8 | b << 4 | c, 0x105);
    check("it state is stacked", (values[1] & 0x0600FC00) != 0, 1);
}

static void svc_pend_b(struct frame *frame, uint32_t exc_return) {
    (void)frame, (void)exc_return;
    nvic_pend(IRQ_B);
    mark('!'); /* not reached: B leaves for Thread mode */
}

/* Returns to Thread mode from a nested handler: IRQ_B has no hook and ends the trial inside SVCall, which stays active. */
static void nonbase(void) {
    three_interrupts(0x80, 0x40, 0xC0);
    hooks[16 + IRQ_B] = NULL;
    hooks[SVCALL] = svc_pend_b;
    system_priority(SVCALL, 0x80);
    CCR |= CCR_NONBASETHRDENA;
    trial(bare_svc);
    CCR &= ~CCR_NONBASETHRDENA;
    check("nonbasethrdena: nested handler to thread mode", fault.number, 16 + IRQ_B);
    check("nonbasethrdena: thread mode", READ_SPECIAL(ipsr), 0);
    check("nonbasethrdena: svcall is still active", SHCSR, 1u << 7);
    nvic_pend(IRQ_A);
    check_text("nonbasethrdena: at its priority", order, "");
    SHCSR = 0;
    sync();
    check_text("nonbasethrdena: until svcallact is cleared", order, "Aa");
    system_priority(SVCALL, 0x40);
}

void exceptions_v7m(void) {
    SYST_CSR = 0;
    ICSR = ICSR_PENDSTCLR;
    reset_values();
    active_state();
    shcsr();
    basepri();
    faultmask();
    grouping();
    software_trigger();
    vtor();
    alignment();
    unprivileged();
    exclusives();
    it_blocks();
    nonbase();
}
#endif
