/* Self-checking samples, see check.h. */
#include "check.h"

struct context {
    uint32_t r4_r11[8], sp, lr;
};

hook *hooks[16 + IRQS];
struct fault fault;
char order[32];

static struct context before;
static bool armed;
static unsigned checks, failures, marks;

uint32_t save_context(struct context *context) __attribute__((returns_twice));
void resume_context(struct context *context);

static void result(const char *name, bool good) {
    checks++;
    if (good) print("ok %s\n", name);
    else {
        failures++;
        print("FAIL %s", name);
    }
}

void check(const char *name, uint32_t got, uint32_t want) {
    result(name, got == want);
    if (got != want) print(" got 0x%x want 0x%x\n", got, want);
}

void check_text(const char *name, const char *got, const char *want) {
    bool good = same_text(got, want);
    result(name, good);
    if (!good) print(" got %s want %s\n", got, want);
}

bool all_good(void) { return !failures; }

int verdict(void) {
    if (failures) print("FAIL: %u of %u\n", failures, checks);
    else print("PASS\n");
    return failures != 0;
}

void order_clear(void) { order[marks = 0] = 0; }

void mark(char letter) {
    if (marks < sizeof order - 1) {
        order[marks++] = letter;
        order[marks] = 0;
    }
}

/* Two words of code each, but no C: callee-saved registers, and a return that happens twice. */
__attribute__((naked)) uint32_t save_context(struct context *context) {
    (void)context;
    __asm__("stmia r0!, {r4-r7}\n"
            "mov r2, r8\n str r2, [r0, #0]\n mov r2, r9\n str r2, [r0, #4]\n"
            "mov r2, r10\n str r2, [r0, #8]\n mov r2, r11\n str r2, [r0, #12]\n"
            "mov r2, sp\n str r2, [r0, #16]\n mov r2, lr\n str r2, [r0, #20]\n"
            "movs r0, #0\n bx lr\n");
}

__attribute__((naked)) void resume_context(struct context *context) {
    (void)context;
    __asm__("mov r1, r0\n adds r1, #16\n"
            "ldr r2, [r1, #0]\n mov r8, r2\n ldr r2, [r1, #4]\n mov r9, r2\n"
            "ldr r2, [r1, #8]\n mov r10, r2\n ldr r2, [r1, #12]\n mov r11, r2\n"
            "ldr r2, [r1, #16]\n mov sp, r2\n ldr r2, [r1, #20]\n mov lr, r2\n"
            "ldmia r0!, {r4-r7}\n"
            "movs r0, #1\n bx lr\n");
}

void trial(void (*action)(void)) {
    fault = (struct fault){0};
    armed = true;
    if (!save_context(&before)) action();
    armed = false;
}

void clear_fault_status(void) {
#if V7M
    CFSR = 0xFFFFFFFF;
    HFSR = 0xFFFFFFFF;
#endif
}

static void keep_fault(struct frame *frame, uint32_t exc_return) {
    fault.number = READ_SPECIAL(ipsr);
    fault.exc_return = exc_return;
#if V7M
    fault.cfsr = CFSR;
    fault.hfsr = HFSR;
    fault.mmfar = MMFAR;
    fault.bfar = BFAR;
    bool stacked = !(fault.cfsr & 0x3838); /* (M)UNSTKERR, (M)STKERR, (M)LSPERR: nothing there to read */
#else
    bool stacked = true;
#endif
    if (stacked) fault.frame = *frame;
    clear_fault_status();
}

/* Leaves the handler for resume_context() in Thread mode, through a frame of its own below the stack pointer of trial(). */
_Noreturn static void recover(void) {
    struct frame *frame = (struct frame *)before.sp - 1;
    armed = false;
    *frame = (struct frame){.r0 = (uint32_t)&before, .pc = (uint32_t)resume_context & ~1u, .xpsr = 1u << 24};
#if V7M
    WRITE_SPECIAL(basepri, 0);
#endif
#if __ARM_FP
    FPCCR &= ~1u; /* LSPACT: there is no lazy frame any more */
#endif
    WRITE_SPECIAL(control, 0);
    WRITE_SPECIAL(primask, 0);
    __asm__ volatile("msr msp, %0\n bx %1" : : "r"(frame), "r"(0xFFFFFFF9));
    __builtin_unreachable();
}

void on_exception(uint32_t exc_return, struct frame *msp) {
    struct frame *frame = exc_return & 4 ? (struct frame *)(uintptr_t)READ_SPECIAL(psp) : msp;
    uint32_t number = READ_SPECIAL(ipsr);
    if (hooks[number]) {
        hooks[number](frame, exc_return);
        return;
    }
    keep_fault(frame, exc_return);
    if (armed) recover();
    print("unexpected exception %u at pc 0x%08x cfsr 0x%08x hfsr 0x%08x\n", number, fault.frame.pc, fault.cfsr, fault.hfsr);
    leave(1);
}
