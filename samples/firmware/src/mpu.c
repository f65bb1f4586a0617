/* The memory protection unit: regions, subregions, background map, a MemManage fault of each kind, a stack that overflows into a
   guard region. ARMv7-M ARM (DDI 0403E), B3.5. */
#include "check.h"

#define PRIVDEFENA 4u
#define HFNMIENA 2u
#define ENABLE 1u
#define XN (1u << 28)
#define AP(n) ((uint32_t)(n) << 24)
#define NORMAL 0x00060000u /* S, C: on-chip memory */
#define SRD(n) ((uint32_t)(n) << 8)
#define BYTES(log2) ((log2 - 1) << 1 | 1u) /* and enable */

enum { NO_ACCESS, PRIVILEGED, USER_READS, FULL, PRIVILEGED_READS = 5, READ_ONLY = 6 };
enum { IACCVIOL = 1, DACCVIOL = 2, MUNSTKERR = 8, MSTKERR = 16, MMARVALID = 128 };

static uint32_t arena[512] __attribute__((aligned(2048)));
static uint32_t *target;
static volatile uint32_t loaded;

extern const char at_load[], at_store[], at_ldrt[];
__attribute__((naked)) static uint32_t load(uint32_t *from) {
    (void)from;
    __asm__(".global at_load\nat_load: ldr r0, [r0]\n bx lr");
}
__attribute__((naked)) static void store(uint32_t *to) {
    (void)to;
    __asm__(".global at_store\nat_store: str r0, [r0]\n bx lr");
}
__attribute__((naked)) static uint32_t load_unprivileged(uint32_t *from) {
    (void)from;
    __asm__(".global at_ldrt\nat_ldrt: ldrt r0, [r0]\n bx lr");
}

static void region(unsigned number, uint32_t base, uint32_t attributes) {
    MPU_RNR = number;
    MPU_RASR = 0; /* off while it changes */
    MPU_RBAR = base;
    MPU_RASR = attributes;
    sync();
}

static void no_region(unsigned number) { region(number, 0, 0); }

static void reads(void) { loaded = load(target); }
static void writes(void) { store(target); }
static void reads_ldrt(void) { loaded = load_unprivileged(target); }
static void calls(void) { ((void (*)(void))((uintptr_t)target | 1))(); }

static void make_privileged(struct frame *frame, uint32_t exc_return) {
    (void)frame, (void)exc_return;
    WRITE_SPECIAL(control, 0);
}
static void as_user(void) { WRITE_SPECIAL(control, 1); }
static void as_system(void) { __asm__ volatile("svc #0" ::: "memory"); }
static void user_reads(void) { as_user(), reads(), as_system(); }
static void user_writes(void) { as_user(), writes(), as_system(); }
static void user_calls(void) { as_user(), calls(), as_system(); }

static void allowed(const char *name, void (*action)(void), uint32_t *at) {
    target = at;
    trial(action);
    check(name, fault.number << 16 | fault.cfsr, 0);
}

static void denied(const char *name, void (*action)(void), uint32_t *at, uint32_t cfsr, const void *pc) {
    target = at;
    trial(action);
    bool good = fault.number == MEM_MANAGE && fault.cfsr == cfsr && (!(cfsr & MMARVALID) || fault.mmfar == (uint32_t)at)
                && fault.frame.pc == ((uint32_t)pc & ~1u);
    check(name, good, true);
    print("  exception %u cfsr 0x%08x pc %s", fault.number, fault.cfsr, fault.frame.pc == ((uint32_t)pc & ~1u) ? "right" : "wrong");
    if (fault.cfsr & MMARVALID) print(" address arena+0x%x", fault.mmfar - (uint32_t)arena);
    print("\n");
}
#define NO_LOAD(name, at) denied(name, reads, at, DACCVIOL | MMARVALID, at_load)
#define NO_STORE(name, at) denied(name, writes, at, DACCVIOL | MMARVALID, at_store)
#define NO_USER_LOAD(name, at) denied(name, user_reads, at, DACCVIOL | MMARVALID, at_load)
#define NO_USER_STORE(name, at) denied(name, user_writes, at, DACCVIOL | MMARVALID, at_store)

static void registers(void) {
    check("mpu has regions", (MPU_TYPE >> 8 & 0xFF) >= 8, 1);
    check("mpu is unified", MPU_TYPE & 1, 0);
    MPU_RNR = 3;
    check("rnr", MPU_RNR, 3);
    MPU_RBAR = (uint32_t)arena | 1u << 4 | 5;
    check("rbar with valid selects the region", MPU_RNR, 5);
    check("rbar reads the region", MPU_RBAR, (uint32_t)arena | 5);
    MPU_RASR = XN | AP(FULL) | NORMAL | SRD(0x81) | BYTES(10);
    check("rasr reads", MPU_RASR, XN | AP(FULL) | NORMAL | SRD(0x81) | BYTES(10));
    REG(0xE000EDA4) = ((uint32_t)arena + 1024) | 1u << 4 | 6; /* RBAR_A1 */
    check("rbar alias", MPU_RNR, 6);
    MPU_RNR = 5;
    check("regions are separate", MPU_RBAR, (uint32_t)arena | 5);
    no_region(5);
    no_region(6);
    check("ctrl is 0 at reset", MPU_CTRL, 0);
}

/* Region 0: code, read-only; region 1: the whole SRAM region, for everybody. */
static void base_regions(void) {
    region(0, 0x00000000, AP(READ_ONLY) | NORMAL | BYTES(29));
    region(1, 0x20000000, AP(FULL) | NORMAL | BYTES(29));
    MPU_CTRL = PRIVDEFENA | ENABLE;
    sync();
    check("ctrl reads", MPU_CTRL, PRIVDEFENA | ENABLE);
}

static void permissions(void) {
    uint32_t *at = arena + 64;
    allowed("user reads ram", user_reads, at);
    allowed("user writes ram", user_writes, at);
    region(2, (uint32_t)at, AP(NO_ACCESS) | NORMAL | BYTES(8));
    NO_LOAD("no access: load", at);
    NO_STORE("no access: store", at + 63);
    NO_USER_LOAD("no access: user load", at);
    allowed("below the region", reads, at - 1);
    allowed("above the region", writes, at + 64);
    region(2, (uint32_t)at, AP(PRIVILEGED) | NORMAL | BYTES(8));
    allowed("privileged only: store", writes, at);
    NO_USER_LOAD("privileged only: user load", at);
    NO_USER_STORE("privileged only: user store", at);
    denied("privileged only: ldrt", reads_ldrt, at, DACCVIOL | MMARVALID, at_ldrt);
    region(2, (uint32_t)at, AP(USER_READS) | NORMAL | BYTES(8));
    allowed("user reads: privileged store", writes, at);
    allowed("user reads: user load", user_reads, at);
    NO_USER_STORE("user reads: user store", at);
    region(2, (uint32_t)at, AP(PRIVILEGED_READS) | NORMAL | BYTES(8));
    allowed("privileged reads: load", reads, at);
    NO_STORE("privileged reads: store", at);
    NO_USER_LOAD("privileged reads: user load", at);
    region(2, (uint32_t)at, AP(READ_ONLY) | NORMAL | BYTES(8));
    allowed("read-only: user load", user_reads, at);
    NO_STORE("read-only: store", at);
    NO_USER_STORE("read-only: user store", at);
    no_region(2);
    allowed("region off again", user_writes, at);
}

static void execution(void) {
    uint32_t *at = arena + 128;
    at[0] = at[1] = 0x4770BF00; /* nop; bx lr */
    sync();
    allowed("code in ram", calls, at);
    allowed("user code in ram", user_calls, at);
    region(2, (uint32_t)at, XN | AP(FULL) | NORMAL | BYTES(5));
    denied("execute never", calls, at, IACCVIOL, at);
    denied("execute never: user", user_calls, at, IACCVIOL, at);
    allowed("execute never: load", reads, at);
    region(2, (uint32_t)at, AP(PRIVILEGED) | NORMAL | BYTES(5));
    allowed("privileged only: runs", calls, at);
    denied("privileged only: user call", user_calls, at, IACCVIOL, at);
    region(2, (uint32_t)at, AP(NO_ACCESS) | NORMAL | BYTES(5));
    denied("no access: call", calls, at, IACCVIOL, at);
    no_region(2);
}

static void geometry(void) {
    uint32_t *at = arena + 256;
    region(2, (uint32_t)at, AP(NO_ACCESS) | NORMAL | BYTES(5));
    NO_LOAD("32 bytes: first word", at);
    NO_LOAD("32 bytes: last word", at + 7);
    allowed("32 bytes: the next word", reads, at + 8);
    region(3, (uint32_t)at, AP(FULL) | NORMAL | BYTES(5));
    allowed("the higher region wins", writes, at);
    no_region(3);
    for (unsigned n = 0; n < 8; n++) {
        static const char *const names[] = {"subregion 0 off", "subregion 1 on", "subregion 2 off", "subregion 3 on",
                                            "subregion 4 on",  "subregion 5 on", "subregion 6 on",  "subregion 7 on"};
        region(2, (uint32_t)at, AP(NO_ACCESS) | NORMAL | SRD(0x05) | BYTES(8));
        if (n == 0 || n == 2) allowed(names[n], reads, at + 8 * n + 7);
        else NO_LOAD(names[n], at + 8 * n);
    }
    no_region(2);
}

static void background(void) {
    no_region(1);
    allowed("background map for privileged code", writes, arena);
    region(1, 0x20000000, AP(FULL) | NORMAL | SRD(0xFE) | BYTES(29)); /* the rest of the SRAM region is background */
    NO_USER_LOAD("no background map for users", (uint32_t *)0x27000000);
    region(1, 0x20000000, AP(FULL) | NORMAL | BYTES(29));
    region(2, 0x40000000, XN | AP(FULL) | 0x00050000u | BYTES(29)); /* devices: S, B */
    MPU_CTRL = ENABLE; /* no background map: code, RAM and devices have their regions, the private bus needs none */
    sync();
    check("system space without a region", MPU_CTRL, ENABLE);
    NO_LOAD("without background map", (uint32_t *)0x60000000);
    no_region(2);
    MPU_CTRL = PRIVDEFENA | ENABLE;
    sync();
}

static void masked(void) {
    uint32_t *at = arena + 64;
    region(2, (uint32_t)at, AP(NO_ACCESS) | NORMAL | BYTES(8));
    target = at;
    WRITE_SPECIAL(faultmask, 1); /* priority -1 without HFNMIENA: as if there were no MPU */
    reads();
    WRITE_SPECIAL(faultmask, 0);
    check("faultmask switches the mpu off", CFSR, 0);
    SHCSR = 0;
    trial(reads);
    SHCSR = SHCSR_MEMFAULTENA;
    check("forced to a hard fault", fault.number, HARD_FAULT);
    check("forced: hfsr", fault.hfsr, 1u << 30);
    check("forced: cfsr", fault.cfsr, DACCVIOL | MMARVALID);
    no_region(2);
}

/* ---- stacks ---- */

#define GUARD (arena + 128)     /* 128 bytes */
#define STACK_TOP (arena + 288) /* above it, 512 bytes of stack */

static unsigned depth;

__attribute__((naked)) static void overflow(void) {
    __asm__("ldr r0, =depth\n"
            "1: push {r4-r7}\n"
            ".global after_push\nafter_push:\n"
            "ldr r1, [r0]\n adds r1, #1\n str r1, [r0]\n"
            "b 1b\n");
}

/* Calls on PSP = r1; only a fault comes back. */
__attribute__((naked)) static void with_stack(void (*call)(void), uint32_t *top) {
    (void)call, (void)top;
    __asm__("msr psp, r1\n movs r1, #2\n msr control, r1\n isb\n bx r0\n");
}
__attribute__((naked)) static void just_svc(void) { __asm__("svc #0\n b ."); }

static void overflows(void) { with_stack(overflow, STACK_TOP); }
static void svc_in_guard(void) { with_stack(just_svc, GUARD + 24); }
static void svc_and_lose_stack(void) { with_stack(just_svc, STACK_TOP); }

static void nothing(struct frame *frame, uint32_t exc_return) { (void)frame, (void)exc_return; }
static void move_psp(struct frame *frame, uint32_t exc_return) {
    (void)frame, (void)exc_return;
    WRITE_SPECIAL(psp, GUARD + 8);
}

static void stack_overflow(void) {
    region(2, (uint32_t)GUARD, AP(NO_ACCESS) | NORMAL | BYTES(7));
    depth = 0;
    trial(overflows);
    check("stack overflow", fault.number, MEM_MANAGE);
    check("stack overflow cfsr", fault.cfsr, DACCVIOL | MSTKERR | MMARVALID);
    check("stack overflow mmfar", fault.mmfar, (uint32_t)(GUARD + 28));
    check("stack overflow depth", depth, 32);
    hooks[SVCALL] = nothing;
    trial(svc_in_guard);
    check("exception entry in the guard", fault.number, MEM_MANAGE);
    check("exception entry in the guard cfsr", fault.cfsr, MSTKERR);
    hooks[SVCALL] = move_psp;
    trial(svc_and_lose_stack);
    check("exception return in the guard", fault.number, MEM_MANAGE);
    check("exception return in the guard cfsr", fault.cfsr, MUNSTKERR);
    hooks[SVCALL] = make_privileged;
    no_region(2);
}

int main(void) {
    print("mpu on %s\n", BOARD);
    hooks[SVCALL] = make_privileged;
    registers();
    SHCSR = SHCSR_MEMFAULTENA;
    base_regions();
    permissions();
    execution();
    geometry();
    background();
    masked();
    stack_overflow();
    MPU_CTRL = 0;
    return verdict();
}
