/* nRF51822: TIMER, RTC, PPI, GPIOTE, and the two resets that end the test. Reference Manual 3.0, 11, 15, 16, 18, 19, 23, 25. */
#include "nrf51.h"

#define TIMER0 0x40008000u /* the only one with 32 bits */
#define TIMER1 0x40009000u
#define TIMER2 0x4000A000u
#define RTC0 0x4000B000u
#define RTC0_IRQ 11
#define TIMER1_IRQ 9
#define GPIOTE 0x40006000u
#define PPI 0x4001F000u
#define WDT 0x40010000u
#define CC(timer, n) REG((timer) + 0x540 + 4 * (n))
#define COMPARE(timer, n) EVENT(timer, 0x140 + 4 * (n))
#define RESETREAS REG(POWER + 0x400)
#define GPREGRET REG(POWER + 0x51C)
#define OUTSET REG(0x50000508)
#define OUTCLR REG(0x5000050C)
#define OUT REG(0x50000504)
#define IN REG(0x50000510)
#define PIN_CNF(n) REG(0x50000700 + 4 * (n))

enum { START = 0x000, STOP = 0x004, COUNT = 0x008, CLEAR = 0x00C, CAPTURE0 = 0x040, CAPTURE1 = 0x044 };

static uint32_t capture(uint32_t timer) {
    TASK(timer, CAPTURE1) = 1;
    return CC(timer, 1);
}

static void setup(uint32_t timer, uint32_t mode, uint32_t bits, uint32_t prescaler) {
    TASK(timer, STOP) = 1;
    TASK(timer, CLEAR) = 1;
    REG(timer + 0x504) = mode;
    REG(timer + 0x508) = bits;
    REG(timer + 0x510) = prescaler;
    REG(timer + 0x200) = 0;
    for (unsigned n = 0; n < 4; n++) COMPARE(timer, n) = 0;
}

static void timers(void) {
    setup(TIMER1, 0, 0, 4); /* 1 MHz, 16 bits */
    check("timer is clear", capture(TIMER1), 0);
    CC(TIMER1, 0) = 100;
    TASK(TIMER1, START) = 1;
    check("timer compare", wait_for(&COMPARE(TIMER1, 0), 1), 1);
    uint32_t count = capture(TIMER1);
    check("timer capture", count >= 100 && count < 200, 1);
    TASK(TIMER1, STOP) = 1;
    count = capture(TIMER1);
    for (volatile int delay = 0; delay < 100; delay++) {}
    check("stopped timer stands still", capture(TIMER1), count);
    setup(TIMER1, 0, 0, 4);
    REG(TIMER1 + 0x200) = 1u << 0 | 1u << 8; /* COMPARE0 clears and stops */
    CC(TIMER1, 0) = 50;
    TASK(TIMER1, START) = 1;
    wait_for(&COMPARE(TIMER1, 0), 1);
    check("shorts clear and stop", capture(TIMER1), 0);
    setup(TIMER1, 1, 0, 0); /* counter */
    TASK(TIMER1, START) = 1;
    for (unsigned n = 0; n < 5; n++) TASK(TIMER1, COUNT) = 1;
    check("counter counts", capture(TIMER1), 5);
    setup(TIMER2, 1, 1, 0); /* counter, 8 bits */
    TASK(TIMER2, START) = 1;
    for (unsigned n = 0; n < 260; n++) TASK(TIMER2, COUNT) = 1;
    check("8-bit counter wraps", capture(TIMER2), 4);
    setup(TIMER1, 0, 0, 4);
    CC(TIMER1, 0) = 20;
    REG(TIMER1 + 0x304) = 1u << 16; /* INTENSET */
    check("intenset reads", REG(TIMER1 + 0x304), 1u << 16);
    TASK(TIMER1, START) = 1;
    wait_for(&COMPARE(TIMER1, 0), 1);
    check("timer interrupt", nvic_pending(TIMER1_IRQ), 1);
    REG(TIMER1 + 0x308) = 1u << 16;
    COMPARE(TIMER1, 0) = 0;
    check("intenclr reads", REG(TIMER1 + 0x308), 0);
    NVIC_ICPR(0) = 1u << TIMER1_IRQ;
    TASK(TIMER1, STOP) = 1;
}

/* 32 ticks of the 32,768 Hz clock take 1/1024 s, which is 15,625 counts at 16 MHz. */
static void rtc(void) {
    setup(TIMER2, 0, 0, 0); /* 16 MHz */
    TASK(RTC0, STOP) = 1;
    TASK(RTC0, 0x008) = 1; /* CLEAR */
    REG(RTC0 + 0x508) = 0; /* PRESCALER */
    REG(RTC0 + 0x344) = 1u << 16 | 1u << 0; /* EVTENSET: COMPARE0, TICK */
    CC(RTC0, 0) = 34;
    CC(RTC0, 1) = 2;
    REG(RTC0 + 0x344) = 1u << 17;
    COMPARE(RTC0, 0) = 0;
    COMPARE(RTC0, 1) = 0;
    TASK(RTC0, START) = 1;
    check("rtc compare 1", wait_for(&COMPARE(RTC0, 1), 1), 1);
    TASK(TIMER2, START) = 1;
    check("rtc compare 0", wait_for(&COMPARE(RTC0, 0), 1), 1);
    uint32_t counts = capture(TIMER2);
    check("32 rtc ticks in 16 MHz counts", counts > 15000 && counts < 16300, 1);
    check("rtc tick event", EVENT(RTC0, 0x100), 1);
    check("rtc counter", REG(RTC0 + 0x504) >= 34, 1);
    TASK(RTC0, STOP) = 1;
    TASK(RTC0, 0x008) = 1;
    check("rtc clear", wait_for(&REG(RTC0 + 0x504), 0), 1);
    EVENT(RTC0, 0x104) = 0;
    REG(RTC0 + 0x344) = 2;
    TASK(RTC0, START) = 1;
    TASK(RTC0, 0x00C) = 1; /* TRIGOVRFLW: to 0xFFFFF0 */
    check("rtc overflow", wait_for(&EVENT(RTC0, 0x104), 1), 1);
    REG(RTC0 + 0x304) = 1;
    EVENT(RTC0, 0x100) = 0;
    wait_for(&EVENT(RTC0, 0x100), 1);
    check("rtc interrupt", nvic_pending(RTC0_IRQ), 1);
    REG(RTC0 + 0x308) = 1;
    REG(RTC0 + 0x348) = 0xFFFFFFFF;
    TASK(RTC0, STOP) = 1;
    NVIC_ICPR(0) = 1u << RTC0_IRQ;
    TASK(TIMER2, STOP) = 1;
}

/* TIMER1 COMPARE0 → GPIOTE OUT0 toggles the pin → IN1 sees the edges → TIMER2 counts them. */
static void chains(void) {
    PIN_CNF(PIN) = 1;
    OUTCLR = 1u << PIN;
    REG(GPIOTE + 0x510) = 3u | (uint32_t)PIN << 8 | 3u << 16;           /* CONFIG0: task, toggle, initially low */
    TASK(GPIOTE, 0x000) = 1;
    check("gpiote task toggles the pin", IN >> PIN & 1, 1);
    OUTCLR = 1u << PIN;
    check("gpiote owns the pin", IN >> PIN & 1, 1);
    setup(TIMER1, 0, 0, 4);
    CC(TIMER1, 0) = 50;
    REG(TIMER1 + 0x200) = 1; /* COMPARE0 clears */
    setup(TIMER2, 1, 0, 0);
    TASK(TIMER2, START) = 1;
    REG(PPI + 0x510) = TIMER1 + 0x140; /* CH0.EEP */
    REG(PPI + 0x514) = GPIOTE + 0x000; /* CH0.TEP */
    REG(PPI + 0x518) = TIMER1 + 0x140; /* CH1 */
    REG(PPI + 0x51C) = TIMER2 + COUNT;
    REG(PPI + 0x504) = 3; /* CHENSET */
    check("ppi chen", REG(PPI + 0x500), 3);
    TASK(TIMER1, START) = 1;
    for (unsigned polls = 0; polls < 100000 && capture(TIMER2) < 5; polls++) {}
    TASK(TIMER1, STOP) = 1;
    check("ppi toggled the pin as often", IN >> PIN & 1, !(capture(TIMER2) & 1));
    check("ppi counted the compares", capture(TIMER2) >= 5, 1);
    REG(PPI + 0x508) = 3;
    check("ppi chenclr", REG(PPI + 0x500), 0);
    REG(GPIOTE + 0x510) = 0;
    REG(GPIOTE + 0x514) = 1u | (uint32_t)PIN << 8 | 1u << 16; /* CONFIG1: event, low to high */
    EVENT(GPIOTE, 0x104) = 0;
    OUTCLR = 1u << PIN;
    check("gpiote: no event for a falling edge", EVENT(GPIOTE, 0x104), 0);
    OUTSET = 1u << PIN;
    check("gpiote: event for a rising edge", wait_for(&EVENT(GPIOTE, 0x104), 1), 1);
    REG(GPIOTE + 0x514) = 0;
    OUTCLR = 1u << PIN;
    PIN_CNF(PIN) = 2;
}

void nrf51_time(void) {
    timers();
    rtc();
    chains();
}

/* ---- resets ---- */

/* Words of a flash page, which every reset keeps, say how far the test is. */
#define SOFTWARE (PAGE + 0)
#define FAILED (PAGE + 4)
#define WATCHDOG (PAGE + 8)
#define FED (PAGE + 12)
#define SET 0x5E7u

static void not_reset(const char *name) {
    flash_erase(PAGE);
    check(name, 0, 1);
}

void nrf51_reset(void) {
    GPREGRET = 0x3C;
    check("gpregret reads", GPREGRET, 0x3C);
    RESETREAS = 0xFFFFFFFF;
    check("resetreas is cleared by ones", RESETREAS, 0);
    flash_write(SOFTWARE, SET);
    if (!all_good()) flash_write(FAILED, SET);
    AIRCR = AIRCR_VECTKEY | 4;
    sync();
    for (volatile int delay = 0; delay < 1000; delay++) {}
    not_reset("software reset");
}

static void watchdog_reset(void) {
    setup(TIMER0, 0, 3, 4); /* 1 MHz, 32 bits */
    TASK(TIMER0, START) = 1;
    REG(WDT + 0x504) = 327; /* CRV: 10 ms */
    REG(WDT + 0x508) = 1;   /* RREN */
    TASK(WDT, 0x000) = 1;
    check("watchdog runs", wait_for(&REG(WDT + 0x400), 1), 1);
    REG(WDT + 0x504) = 5;
    check("running watchdog keeps its time", REG(WDT + 0x504), 327);
    RESETREAS = 0xFFFFFFFF;
    REG(WDT + 0x600) = 0x6E524635;
    flash_write(WATCHDOG, SET);
    if (!all_good()) flash_write(FAILED, SET);
    uint32_t start = capture(TIMER0);
    for (unsigned n = 1; n <= 4; n++) {
        while (capture(TIMER0) - start < n * 4000) {}
        REG(WDT + 0x600) = 0x6E524635;
    }
    flash_write(FED, SET);
    while (capture(TIMER0) - start < 100000) {}
    not_reset("watchdog reset");
}

bool nrf51_after_reset(void) {
    if (REG(SOFTWARE) != SET) return false;
    if (REG(WATCHDOG) != SET) {
        print("after the software reset\n");
        check("reset reason: software", RESETREAS, 4);
        check("gpregret survives", GPREGRET, 0x3C);
        check("timer was reset", REG(TIMER1 + 0x200), 0);
        watchdog_reset();
        return true;
    }
    print("after the watchdog reset\n");
    check("watchdog was fed in time", REG(FED), SET);
    check("reset reason: watchdog", RESETREAS, 2);
    check("earlier parts", REG(FAILED) == SET, 0);
    flash_erase(PAGE);
    return true;
}
