/* STM32F405: timers, real-time clock, backup registers, and the two resets that end the test. RM0090, 7.3.21, 18, 21, 26. */
#include "stm32.h"

#define TIM(base, offset) REG((base) + (offset))
#define TIM2 0x40000000u /* 32 bits, IRQ 28 */
#define TIM3 0x40000400u
#define CR1(t) TIM(t, 0x00)
#define DIER(t) TIM(t, 0x0C)
#define SR(t) TIM(t, 0x10)
#define EGR(t) TIM(t, 0x14)
#define CCMR1(t) TIM(t, 0x18)
#define CCER(t) TIM(t, 0x20)
#define CNT(t) TIM(t, 0x24)
#define PSC(t) TIM(t, 0x28)
#define ARR(t) TIM(t, 0x2C)
#define CCR1(t) TIM(t, 0x34)
#define CEN 1u
#define URS 4u
#define OPM 8u
#define DIR 16u
#define ARPE 128u
#define UIF 1u
#define CC1IF 2u
#define TIM2_IRQ 28

#define RTC_TR REG(0x40002800)
#define RTC_DR REG(0x40002804)
#define RTC_CR REG(0x40002808)
#define RTC_ISR REG(0x4000280C)
#define RTC_PRER REG(0x40002810)
#define RTC_WPR REG(0x40002824)
#define RTC_BKP(n) REG(0x40002850 + 4 * (n))
#define INITF 0x40u
#define INIT 0x80u
#define DBP 0x100u

#define IWDG_KR REG(0x40003000)
#define IWDG_PR REG(0x40003004)
#define IWDG_RLR REG(0x40003008)
#define IWDG_SR REG(0x4000300C)
#define SFTRSTF (1u << 28)
#define IWDGRSTF (1u << 29)
#define RMVF (1u << 24)

static void timer_reset(uint32_t timer) {
    uint32_t bit = timer == TIM2 ? 1 : 2;
    RCC_APB1RSTR = bit;
    RCC_APB1RSTR = 0;
}

static void update_event(void) {
    timer_reset(TIM2);
    timer_reset(TIM3);
    check("tim2 arr at reset", ARR(TIM2), 0xFFFFFFFF);
    check("tim3 arr at reset", ARR(TIM3), 0xFFFF);
    CNT(TIM2) = 1234;
    EGR(TIM2) = 1;
    check("ug clears the counter", CNT(TIM2), 0);
    check("ug sets uif", SR(TIM2) & UIF, UIF);
    SR(TIM2) = ~UIF;
    check("uif is cleared by 0", SR(TIM2) & UIF, 0);
    CR1(TIM2) = URS;
    EGR(TIM2) = 1;
    check("urs: ug does not set uif", SR(TIM2) & UIF, 0);
    ARR(TIM2) = 99;
    PSC(TIM2) = 3;
    EGR(TIM2) = 1; /* loads the prescaler */
    CR1(TIM2) = CEN | URS;
    check("overflow sets uif", wait_for(&SR(TIM2), UIF, UIF), 1);
    check("counter stays within arr", CNT(TIM2) <= 99, 1);
    CR1(TIM2) = 0;
    timer_reset(TIM2);
    ARR(TIM2) = 999;
    EGR(TIM2) = 1;
    SR(TIM2) = 0;
    CR1(TIM2) = OPM | CEN;
    check("one pulse ends", wait_for(&CR1(TIM2), CEN, 0), 1);
    check("one pulse stops at 0", CNT(TIM2), 0);
    check("one pulse sets uif", SR(TIM2) & UIF, UIF);
    CR1(TIM2) = ARPE;
    ARR(TIM2) = 4999;
    check("arr reads the preload", ARR(TIM2), 4999);
}

/* Timer clock and processor clock are both 16 MHz. */
static void rate(void) {
    timer_reset(TIM2);
    CR1(TIM2) = CEN;
    uint32_t first = CNT(TIM2);
    cycles(16000);
    uint32_t counted = CNT(TIM2) - first;
    check("timer counts the processor's clock", counted >= 16000 && counted < 16200, 1);
    CR1(TIM2) = 0;
    PSC(TIM2) = 15;
    EGR(TIM2) = 1;
    CR1(TIM2) = CEN;
    first = CNT(TIM2);
    cycles(16000);
    counted = CNT(TIM2) - first;
    check("prescaler divides by 16", counted >= 1000 && counted < 1013, 1);
    CR1(TIM2) = 0;
    timer_reset(TIM2);
    ARR(TIM2) = 50000;
    CNT(TIM2) = 40000;
    CR1(TIM2) = DIR | CEN;
    cycles(16000);
    counted = 40000 - CNT(TIM2);
    check("timer counts down", counted >= 16000 && counted < 16200, 1);
}

static void compare(void) {
    timer_reset(TIM3);
    ARR(TIM3) = 9999;
    CCR1(TIM3) = 5000;
    EGR(TIM3) = 1;
    SR(TIM3) = 0;
    check("compare flag is clear", SR(TIM3) & CC1IF, 0);
    CR1(TIM3) = CEN;
    check("compare flag", wait_for(&SR(TIM3), CC1IF, CC1IF), 1);
    check("compare comes before update", SR(TIM3) & UIF, 0);
    check("at its count", CNT(TIM3) >= 5000, 1);
    CR1(TIM3) = 0;
    SR(TIM3) = 0;
    CCMR1(TIM3) = 1; /* channel 1 is an input */
    CCER(TIM3) = 1;
    CNT(TIM3) = 321;
    EGR(TIM3) = 2;
    check("capture flag", SR(TIM3) & CC1IF, CC1IF);
    check("software capture", CCR1(TIM3), 321);
    check("reading ccr1 clears the capture flag", SR(TIM3) & CC1IF, 0);
    EGR(TIM3) = 2;
    EGR(TIM3) = 2;
    check("overcapture flag", SR(TIM3) >> 9 & 1, 1);
}

static volatile unsigned updates;

static void on_tim2(struct frame *frame, uint32_t exc_return) {
    (void)frame, (void)exc_return;
    SR(TIM2) = ~UIF;
    if (++updates == 5) CR1(TIM2) = 0;
    sync();
}

static void timer_interrupts(void) {
    timer_reset(TIM2);
    hooks[16 + TIM2_IRQ] = on_tim2;
    ARR(TIM2) = 1999;
    DIER(TIM2) = 1;
    nvic_enable(TIM2_IRQ);
    CR1(TIM2) = URS | CEN;
    check("timer interrupts end", wait_for(&CR1(TIM2), CEN, 0), 1);
    check("five timer interrupts", updates, 5);
    nvic_disable(TIM2_IRQ);
}

/* ---- RTC ---- */

static bool set_clock(uint32_t time, uint32_t date) {
    RTC_WPR = 0xCA;
    RTC_WPR = 0x53;
    RTC_ISR = INIT;
    bool ready = wait_for(&RTC_ISR, INITF, INITF);
    RTC_PRER = 0x00FF; /* the synchronous part first, then the other: 32 kHz / 1 / 256 make 125 "seconds" in one */
    RTC_PRER = 0x00FF;
    RTC_TR = time;
    RTC_DR = date;
    RTC_CR = 0x20; /* no shadow registers */
    RTC_ISR = 0;
    RTC_WPR = 0xFF;
    return ready;
}

static void clock(void) {
    PWR_CR |= DBP;
    check("backup domain is writable", PWR_CR & DBP, DBP);
    RCC_CSR |= 1;
    check("lsi gets ready", wait_for(&RCC_CSR, 2, 2), 1);
    RCC_BDCR = 1u << 16;
    RCC_BDCR = 0;
    RCC_BDCR = 2u << 8 | 1u << 15; /* LSI, on */
    check("rtc clock source", RCC_BDCR >> 8 & 3, 2);
    check("rtc prer at reset", RTC_PRER, 0x007F00FF);
    check("rtc dr at reset", RTC_DR, 0x2101);
    RTC_TR = 0x123456;
    check("rtc is write-protected", RTC_TR == 0x123456, 0);
    check("rtc enters its init mode", set_clock(0x235958, 0x23F231), 1); /* Sunday 2023-12-31 23:59:58 */
    check("rtc time is set", RTC_TR >> 8, 0x2359);
    check("rtc date is set", RTC_DR, 0x23F231);
    check("rtc reaches midnight", wait_for(&RTC_TR, 0x3F7F7F, 0), 1);
    check("rtc year rolls over", RTC_DR, 0x242101); /* Monday 2024-01-01 */
    set_clock(0x235959, 0x246228);                  /* Wednesday 2024-02-28 */
    wait_for(&RTC_TR, 0x3F7F7F, 0);
    check("rtc knows leap years", RTC_DR, 0x248229); /* Thursday 02-29 */
}

static void backup_registers(void) {
    uint32_t wrong = 0;
    for (uint32_t n = 0; n < 20; n++) RTC_BKP(n) = 0xA0000000u + n;
    for (uint32_t n = 0; n < 20; n++) wrong += RTC_BKP(n) != 0xA0000000u + n;
    check("20 backup registers", wrong, 0);
    PWR_CR &= ~DBP;
    RTC_BKP(4) = 0;
    check("backup registers are protected without dbp", RTC_BKP(4), 0xA0000004);
    PWR_CR |= DBP;
}

/* ---- resets ---- */

#define STAGE RTC_BKP(0)
#define AFTER_SOFTWARE 0x50F7u
#define AFTER_WATCHDOG 0xD06u

void stm32_reset(void) {
    RCC_CSR |= RMVF;
    STAGE = AFTER_SOFTWARE;
    RTC_BKP(1) = !all_good();
    AIRCR = AIRCR_VECTKEY | 4;
    sync();
    cycles(1000);
    STAGE = 0;
    check("software reset", 0, 1);
}

static void watchdog_reset(void) {
    IWDG_KR = 0x5555;
    IWDG_PR = 0; /* LSI / 4: 8 kHz */
    IWDG_RLR = 100;
    check("watchdog takes its values", wait_for(&IWDG_SR, 3, 0), 1);
    check("watchdog rlr reads", IWDG_RLR, 100);
    IWDG_KR = 0xAAAA;
    IWDG_RLR = 7;
    check("watchdog is protected", IWDG_RLR, 100);
    RCC_CSR |= RMVF;
    STAGE = AFTER_WATCHDOG;
    RTC_BKP(1) = RTC_BKP(1) | !all_good();
    IWDG_KR = 0xCCCC;
    for (unsigned n = 0; n < 4; n++) { /* each wait is a third of the time-out */
        cycles(66000);
        IWDG_KR = 0xAAAA;
    }
    STAGE = AFTER_WATCHDOG + 1; /* it did not bite too early */
    cycles(800000);
    STAGE = 0;
    check("watchdog reset", 0, 1);
}

bool stm32_after_reset(void) {
    PWR_CR |= DBP;
    switch (STAGE) {
    case AFTER_SOFTWARE:
        print("after the software reset\n");
        check("software reset flag", RCC_CSR & SFTRSTF, SFTRSTF);
        check("no watchdog reset flag", RCC_CSR & IWDGRSTF, 0);
        check("the clock was reset", RCC_CFGR, 0);
        check("backup register survives", RTC_BKP(7), 0xA0000007);
        watchdog_reset();
        return true;
    case AFTER_WATCHDOG:
    case AFTER_WATCHDOG + 1:
        print("after the watchdog reset\n");
        check("watchdog was fed in time", STAGE, AFTER_WATCHDOG + 1);
        check("watchdog reset flag", RCC_CSR & IWDGRSTF, IWDGRSTF);
        RCC_CSR |= RMVF;
        check("rmvf clears the flags", RCC_CSR >> 25, 0);
        STAGE = 0;
        check("earlier parts", RTC_BKP(1), 0);
        return true;
    default: return false;
    }
}

void stm32_time(void) {
    RCC_APB1ENR |= 3;
    update_event();
    rate();
    compare();
    timer_interrupts();
    clock();
    backup_registers();
}
