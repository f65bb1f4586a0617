/* nRF51822 peripheral by peripheral, checked by itself. nRF51 Series Reference Manual 3.0; what keeps time and what talks is in
   nrf51_io.c. */
#include "nrf51.h"

#define ICR_CODEPAGESIZE REG(0x10000010)
#define ICR_CODESIZE REG(0x10000014)
#define ICR_DEVICEID(n) REG(0x10000060 + 4 * (n))
#define UICR_CUSTOMER(n) REG(0x10001080 + 4 * (n))
#define NVMC_READY REG(0x4001E400)
#define NVMC_CONFIG REG(0x4001E504)
#define NVMC_ERASEPAGE REG(0x4001E508)
#define OUT REG(0x50000504)
#define OUTSET REG(0x50000508)
#define OUTCLR REG(0x5000050C)
#define IN REG(0x50000510)
#define DIR REG(0x50000514)
#define DIRSET REG(0x50000518)
#define DIRCLR REG(0x5000051C)
#define PIN_CNF(n) REG(0x50000700 + 4 * (n))
#define RNG 0x4000D000u
#define TEMP 0x4000C000u

bool wait_for(volatile uint32_t *at, uint32_t value) {
    for (uint32_t polls = 0; polls < 3000000; polls++)
        if (*at == value) return true;
    return false;
}

static void identity(void) {
    check("ficr page size", ICR_CODEPAGESIZE, 1024);
    check("ficr pages", ICR_CODESIZE, 256);
    check("ficr device id", (ICR_DEVICEID(0) | ICR_DEVICEID(1)) != 0, 1);
}

static void clocks(void) {
    check("hfclk is rc at first", REG(CLOCK + 0x40C) & 1, 0);
    EVENT(CLOCK, 0x100) = 0;
    TASK(CLOCK, 0x000) = 1; /* HFCLKSTART */
    check("hfclkstarted", wait_for(&EVENT(CLOCK, 0x100), 1), 1);
    check("hfclkstat is the crystal", REG(CLOCK + 0x40C), 0x10001);
    REG(CLOCK + 0x518) = 0; /* LFCLKSRC: RC */
    TASK(CLOCK, 0x008) = 1; /* LFCLKSTART */
    check("lfclkstarted", wait_for(&EVENT(CLOCK, 0x104), 1), 1);
    check("lfclkstat", REG(CLOCK + 0x418), 0x10000);
}

static void pins(void) {
    OUT = 0;
    DIRSET = 1u << PIN;
    check("dirset", DIR >> PIN & 1, 1);
    OUTSET = 1u << PIN;
    check("outset", OUT >> PIN & 1, 1);
    PIN_CNF(PIN) = 1; /* output, input buffer connected */
    check("in follows an output", IN >> PIN & 1, 1);
    OUTCLR = 1u << PIN;
    check("in follows it down", IN >> PIN & 1, 0);
    PIN_CNF(PIN) = 3;
    OUTSET = 1u << PIN;
    check("in is 0 with the buffer off", IN >> PIN & 1, 0);
    OUTCLR = 1u << PIN;
    DIRCLR = 1u << PIN;
    check("dirclr clears pin_cnf.dir", PIN_CNF(PIN) & 1, 0);
    PIN_CNF(PIN) = 0xC;
    check("pull-up", IN >> PIN & 1, 1);
    PIN_CNF(PIN) = 0x4;
    check("pull-down", IN >> PIN & 1, 0);
    PIN_CNF(PIN) = 2;
}

static void random_numbers(void) {
    uint32_t different = 0, last = 0x100;
    TASK(RNG, 0x000) = 1;
    for (unsigned n = 0; n < 8; n++) {
        EVENT(RNG, 0x100) = 0;
        if (!wait_for(&EVENT(RNG, 0x100), 1)) break;
        uint32_t value = REG(RNG + 0x508);
        different += value != last && value < 256;
        last = value;
    }
    TASK(RNG, 0x004) = 1;
    check("rng gives bytes", different >= 6, 1);
}

static void temperature(void) {
    EVENT(TEMP, 0x100) = 0;
    TASK(TEMP, 0x000) = 1;
    check("temp datardy", wait_for(&EVENT(TEMP, 0x100), 1), 1);
    uint32_t quarter_degrees = REG(TEMP + 0x508);
    check("temp is between 0 and 60 degrees", quarter_degrees < 240, 1);
}

static bool nvmc(volatile uint32_t *at, uint32_t value, uint32_t mode) {
    NVMC_CONFIG = mode;
    *at = value;
    bool done = wait_for(&NVMC_READY, 1);
    NVMC_CONFIG = 0;
    return done;
}

void flash_write(uint32_t at, uint32_t value) { nvmc(&REG(at), value, 1); }

void flash_erase(uint32_t page) { nvmc(&NVMC_ERASEPAGE, page, 2); }

static uint32_t erased(void) {
    uint32_t all = 0xFFFFFFFF;
    for (uint32_t at = PAGE; at < PAGE + 1024; at += 4) all &= REG(at);
    return all;
}

static void flash(void) {
    check("nvmc is ready", NVMC_READY, 1);
    check("nvmc erases", nvmc(&NVMC_ERASEPAGE, PAGE, 2), 1);
    check("page is erased", erased(), 0xFFFFFFFF);
    check("nvmc writes", nvmc(&REG(PAGE + 16), 0xFFFF1234, 1), 1);
    check("flash holds", REG(PAGE + 16), 0xFFFF1234);
    nvmc(&REG(PAGE + 16), 0x0F0FFFFF, 1);
    check("writing only clears bits", REG(PAGE + 16), 0x0F0F1234);
    NVMC_ERASEPAGE = PAGE;
    check("no erase while read-only", REG(PAGE + 16), 0x0F0F1234);
    nvmc(&UICR_CUSTOMER(3), 0x12345678, 1);
    check("uicr is written like flash", UICR_CUSTOMER(3), 0x12345678);
    nvmc(&REG(0x4001E514), 1, 2); /* ERASEUICR */
    check("uicr is erased", UICR_CUSTOMER(3), 0xFFFFFFFF);
    flash_erase(PAGE);
    check("page is erased again", erased(), 0xFFFFFFFF);
}

int main(void) {
    if (!nrf51_after_reset()) {
        print("nrf51 on %s\n", BOARD);
        identity();
        clocks();
        pins();
        random_numbers();
        temperature();
        flash();
        nrf51_time();
        nrf51_io();
        nrf51_reset();
    }
    return verdict();
}
