/* STM32F405 register by register, checked by itself: clocks, flash, pins, external interrupts. RM0090, 3, 6, 7, 8, 12, 24, 39.
   The other peripherals are in stm32_io.c and stm32_time.c. */
#include "stm32.h"

#define FLASH_ACR REG(0x40023C00)
#define FLASH_KEYR REG(0x40023C04)
#define FLASH_SR REG(0x40023C0C)
#define FLASH_CR REG(0x40023C10)
#define SYSCFG_EXTICR2 REG(0x4001380C)
#define EXTI_IMR REG(0x40013C00)
#define EXTI_RTSR REG(0x40013C08)
#define EXTI_FTSR REG(0x40013C0C)
#define EXTI_SWIER REG(0x40013C10)
#define EXTI_PR REG(0x40013C14)
#define RNG_CR REG(0x50060800)
#define RNG_SR REG(0x50060804)
#define RNG_DR REG(0x50060808)

#define HSION 1u
#define HSEON (1u << 16)
#define HSERDY (1u << 17)
#define PLLON (1u << 24)
#define PLLRDY (1u << 25)
#define BSY (1u << 16)  /* of SR */
#define STRT (1u << 16) /* of CR */
#define PGSERR 0x80u
#define PGPERR 0x40u

bool wait_for(volatile uint32_t *at, uint32_t mask, uint32_t value) {
    for (uint32_t polls = 0; polls < 3000000; polls++)
        if ((*at & mask) == value) return true;
    return false;
}

void cycles(uint32_t count) {
    SYST_RVR = count;
    SYST_CVR = 0;
    SYST_CSR = 5;
    while (!(SYST_CSR & 1u << 16)) {}
    SYST_CSR = 0;
}

static void reset_values(void) {
    check("rcc cr at reset", RCC_CR & 0xFFFF00FF, 0x83);
    check("rcc pllcfgr at reset", RCC_PLLCFGR, 0x24003010);
    check("rcc cfgr at reset", RCC_CFGR, 0);
    check("flash acr at reset", FLASH_ACR, 0);
    check("flash cr is locked at reset", FLASH_CR, 0x80000000);
    check("gpiob moder at reset", MODER('B'), 0x280);
    check("gpiob pupdr at reset", PUPDR('B'), 0x100);
    check("gpioa pupdr at reset", PUPDR('A'), 0x64000000);
    check("gpiod moder at reset", MODER('D'), 0);
    check("device id", REG(0xE0042000) & 0xFFF, 0x413);
    check("flash size", REG(0x1FFF7A20) >> 16, 1024);
    uint32_t ones = REG(0x1FFF7A10) & REG(0x1FFF7A14) & REG(0x1FFF7A18);
    uint32_t zeros = REG(0x1FFF7A10) | REG(0x1FFF7A14) | REG(0x1FFF7A18);
    check("unique id is one", ones != 0xFFFFFFFF && zeros != 0, 1);
}

static void random_numbers(void) {
    uint32_t last = 0, different = 0;
    RCC_AHB2ENR |= 1u << 6;
    RNG_CR = 4;
    for (unsigned n = 0; n < 4; n++) {
        if (!wait_for(&RNG_SR, 1, 1)) break;
        uint32_t value = RNG_DR;
        different += value != last;
        last = value;
    }
    check("rng gives different numbers", different, 4);
    check("rng has no errors", RNG_SR & 0x66, 0);
    RNG_CR = 0;
}

/* HSI 16 MHz / 8 × 168 / 2 = 168 MHz, / 7 = 48 MHz for the RNG, and back. */
static void pll(void) {
    RCC_APB1ENR |= 1u << 28;
    check("regulator is in scale 1", PWR_CR & 1u << 14, 1u << 14);
    RCC_CR |= HSEON;
    check("hse gets ready", wait_for(&RCC_CR, HSERDY, HSERDY), 1);
    RCC_CR &= ~HSEON;
    check("hse goes off", wait_for(&RCC_CR, HSERDY, 0), 1);
    RCC_PLLCFGR = 8u | 168u << 6 | 7u << 24;
    check("pllcfgr reads", RCC_PLLCFGR, 8u | 168u << 6 | 7u << 24);
    check("pll is off", RCC_CR & PLLRDY, 0);
    RCC_CR |= PLLON;
    check("pll locks", wait_for(&RCC_CR, PLLRDY, PLLRDY), 1);
    FLASH_ACR = 0x705; /* five wait states, prefetch, both caches */
    check("flash acr reads", FLASH_ACR, 0x705);
    RCC_CFGR = 5u << 10 | 4u << 13;
    RCC_CFGR |= 2;
    check("system clock is the pll", wait_for(&RCC_CFGR, 0xC, 8), 1);
    RCC_CR &= ~PLLON;
    check("pll in use cannot be stopped", RCC_CR & PLLON, PLLON);
    RCC_CR &= ~HSION;
    check("hsi behind the pll cannot be stopped", RCC_CR & HSION, HSION);
    random_numbers();
    RCC_CFGR = 0;
    check("system clock is hsi again", wait_for(&RCC_CFGR, 0xC, 0), 1);
    RCC_CR &= ~PLLON;
    check("pll stops", wait_for(&RCC_CR, PLLRDY, 0), 1);
    FLASH_ACR = 0;
}

/* ---- flash controller ---- */

#define SECTOR_11 0x080E0000u

static uint32_t erased(void) {
    uint32_t all = 0xFFFFFFFF;
    for (uint32_t at = SECTOR_11; at < SECTOR_11 + 0x20000; at += 4) all &= REG(at);
    return all;
}

static bool program(uint32_t at, uint32_t value) {
    FLASH_CR = 2u << 8 | 1; /* 32 bits at a time, PG */
    REG(at) = value;
    bool done = wait_for(&FLASH_SR, BSY, 0);
    FLASH_CR = 0;
    return done;
}

static void flash(void) {
    FLASH_KEYR = 0x45670123;
    FLASH_KEYR = 0xCDEF89AB;
    check("flash unlocks", FLASH_CR, 0);
    FLASH_CR = 11u << 3 | 2; /* sector 11, SER */
    FLASH_CR |= STRT;
    check("flash erase ends", wait_for(&FLASH_SR, BSY, 0), 1);
    check("flash erased", erased(), 0xFFFFFFFF);
    FLASH_CR = 0;
    check("flash programs", program(SECTOR_11 + 0x100, 0xFFFF1234), 1);
    check("flash holds", REG(SECTOR_11 + 0x100), 0xFFFF1234);
    check("flash neighbours", REG(SECTOR_11 + 0xFC) & REG(SECTOR_11 + 0x104), 0xFFFFFFFF);
    program(SECTOR_11 + 0x100, 0x0F0FFFFF);
    check("programming only clears bits", REG(SECTOR_11 + 0x100), 0x0F0F1234);
    check("no error so far", FLASH_SR & 0xF2, 0);
    REG(SECTOR_11 + 0x200) = 0;
    check("write without pg", FLASH_SR & PGSERR, PGSERR);
    check("write without pg changes nothing", REG(SECTOR_11 + 0x200), 0xFFFFFFFF);
    FLASH_SR = 0xF2;
    check("errors are cleared by ones", FLASH_SR & 0xF2, 0);
    FLASH_CR = 2u << 8 | 1;
    REG8(SECTOR_11 + 0x200) = 0;
    check("byte write with 32-bit parallelism", FLASH_SR & PGPERR, PGPERR);
    FLASH_SR = 0xF2;
    FLASH_CR = 1;
    REG8(SECTOR_11 + 0x201) = 0x5A;
    wait_for(&FLASH_SR, BSY, 0);
    check("byte write with 8-bit parallelism", REG(SECTOR_11 + 0x200), 0xFFFF5AFF);
    FLASH_CR = 11u << 3 | 2;
    FLASH_CR |= STRT;
    wait_for(&FLASH_SR, BSY, 0);
    check("flash erased again", erased(), 0xFFFFFFFF);
    FLASH_CR = 1u << 31;
    check("flash locks", FLASH_CR, 0x80000000);
}

/* ---- pins ---- */

static void pins(void) {
    pin_field(&MODER('D'), 5, 1);
    BSRR('D') = 1u << 5;
    check("bsrr sets", ODR('D'), 1u << 5);
    check("idr follows an output", IDR('D') >> 5 & 1, 1);
    BSRR('D') = 1u << 21;
    check("bsrr clears", ODR('D'), 0);
    check("idr follows it down", IDR('D') >> 5 & 1, 0);
    BSRR('D') = 1u << 5 | 1u << 21;
    check("bsrr: set wins", ODR('D'), 1u << 5);
    check("bsrr reads 0", BSRR('D'), 0);
    ODR('D') = 0xFFFF0000;
    check("odr has 16 bits", ODR('D'), 0);
    pin_field(&PUPDR('D'), 6, 1);
    check("pull-up", IDR('D') >> 6 & 1, 1);
    pin_field(&PUPDR('D'), 6, 2);
    check("pull-down", IDR('D') >> 6 & 1, 0);
    pin_field(&PUPDR('D'), 7, 1);
    pin_field(&MODER('D'), 7, 1);
    OTYPER('D') = 1u << 7;
    BSRR('D') = 1u << 7;
    check("open drain released with pull-up", IDR('D') >> 7 & 1, 1);
    BSRR('D') = 1u << 23;
    check("open drain low", IDR('D') >> 7 & 1, 0);
    AFRL('D') = 0x76543210;
    check("afrl reads", AFRL('D'), 0x76543210);
    pin_field(&MODER('D'), 3, 2);
    check("moder alternate function", MODER('D') >> 6 & 3, 2);
    AFRL('D') = 0;
    MODER('D') = 1u << 10;
}

static void pin_lock(void) {
    const uint32_t pin = 1u << 7, key = 1u << 16;
    LCKR('E') = key | pin;
    LCKR('E') = pin;
    check("half a lock sequence locks nothing", LCKR('E') & key, 0);
    LCKR('E') = key | pin;
    LCKR('E') = pin;
    LCKR('E') = key | pin;
    (void)LCKR('E');
    check("lock sequence", LCKR('E'), key | pin);
    pin_field(&MODER('E'), 7, 1);
    pin_field(&MODER('E'), 8, 1);
    check("locked pin keeps its mode", MODER('E'), 1u << 16);
}

/* ---- external interrupts ---- */

static uint32_t taken;

static void on_exti3(struct frame *frame, uint32_t exc_return) {
    (void)frame, (void)exc_return;
    taken |= EXTI_PR << 16 | 1;
    EXTI_PR = 1u << 3;
    sync();
}

static void on_exti9_5(struct frame *frame, uint32_t exc_return) {
    (void)frame, (void)exc_return;
    taken++;
    EXTI_PR = 1u << 5;
    sync();
}

static void external_interrupts(void) {
    hooks[16 + 9] = on_exti3;
    hooks[16 + 23] = on_exti9_5;
    EXTI_IMR = 1u << 3;
    nvic_enable(9);
    EXTI_SWIER = 1u << 3;
    sync();
    check("exti by software", taken, 1u << 19 | 1);
    check("clearing pr clears swier", EXTI_SWIER, 0);
    check("pr is clear", EXTI_PR, 0);
    taken = 0;
    SYSCFG_EXTICR2 = 3u << 4; /* line 5: port D */
    BSRR('D') = 1u << 21;
    EXTI_IMR = 1u << 5;
    EXTI_RTSR = 1u << 5;
    nvic_enable(23);
    BSRR('D') = 1u << 5;
    sync();
    check("exti by a rising edge", taken, 1);
    BSRR('D') = 1u << 21;
    sync();
    check("no falling edge", taken, 1);
    EXTI_RTSR = 0;
    EXTI_FTSR = 1u << 5;
    BSRR('D') = 1u << 5;
    sync();
    BSRR('D') = 1u << 21;
    sync();
    check("exti by a falling edge", taken, 2);
    EXTI_FTSR = 0;
    EXTI_IMR = 0;
}

int main(void) {
    RCC_APB1ENR |= 1u << 28;
    RCC_AHB1ENR |= 1u << 20 | 0x1Fu;
    RCC_APB2ENR |= 1u << 14;
    if (!stm32_after_reset()) {
        print("stm32 on %s\n", BOARD);
        reset_values();
        pll();
        flash();
        pins();
        pin_lock();
        external_interrupts();
        stm32_io();
        stm32_time();
        stm32_reset();
    }
    return verdict();
}
