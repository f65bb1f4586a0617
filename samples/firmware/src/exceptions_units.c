/* What stands beside the processor of ARMv7-M: SysTick, bit-banding, DWT cycle counter, ITM. ARMv7-M ARM (DDI 0403E), B3.3, C1.7,
   C1.8; Cortex-M3 TRM (DDI 0337), 3.7 (bit-banding). */
#include "exceptions.h"

#if !V7M
void exceptions_units(void) {}
#else

/* ---- SysTick ---- */

#define PERIOD 0xFFFFFu /* cycles; long, because under QEMU the host may take the processor away between two reads */

static void systick(void) {
    irq_disable();
    SYST_CSR = 0;
    SYST_RVR = 0xFFFFFFFF;
    check("systick rvr has 24 bits", SYST_RVR, 0xFFFFFF);
    SYST_RVR = PERIOD;
    SYST_CVR = 5;
    check("writing cvr clears it", SYST_CVR, 0);
    SYST_CSR = 5;
    while (!(SYST_CSR & 1u << 16)) {}
    check("countflag is cleared by reading", SYST_CSR >> 16 & 1, 0);
    uint32_t first = SYST_CVR;
    check("systick stays below the reload value", first <= PERIOD, 1);
    SYST_RVR = 0xFFFFFF;
    SYST_CVR = 0;
    while (SYST_CVR == 0) {}
    first = SYST_CVR;
    while (SYST_CVR == first) {}
    check("systick counts down", SYST_CVR < first, 1);
    SYST_RVR = PERIOD;
    SYST_CVR = 0;
    check("without tickint nothing is pending", ICSR & ICSR_PENDSTSET, 0);
    while (!(SYST_CSR & 1u << 16)) {}
    SYST_CVR = 0;
    check("writing cvr clears countflag", SYST_CSR >> 16 & 1, 0);
    SYST_CSR = 7;
    while (!(ICSR & ICSR_PENDSTSET)) {}
    check("tickint pends the exception", ICSR & ICSR_PENDSTSET, ICSR_PENDSTSET);
    SYST_CSR = 4; /* stop */
    first = SYST_CVR;
    for (volatile int delay = 0; delay < 100; delay++) {}
    check("disabled systick stands still", SYST_CVR, first);
    ICSR = ICSR_PENDSTCLR;
    check("pendstclr", ICSR & ICSR_PENDSTSET, 0);
    uint32_t calib = SYST_CALIB;
    SYST_CALIB = ~calib;
    check("calib is read-only", SYST_CALIB, calib);
    irq_enable();
}

/* ---- debug and trace units ---- */

static void cycle_counter(void) {
    DEMCR |= 1u << 24;
    DWT_CYCCNT = 0;
    DWT_CTRL |= 1;
    uint32_t first = DWT_CYCCNT;
    for (volatile int delay = 0; delay < 10; delay++) {}
    uint32_t second = DWT_CYCCNT;
    check("cyccnt counts up", second > first, 1);
    DWT_CTRL &= ~1u;
    first = DWT_CYCCNT;
    for (volatile int delay = 0; delay < 10; delay++) {}
    check("cyccnt stops", DWT_CYCCNT, first);
    DWT_CYCCNT = 0x12345678;
    check("cyccnt is writable", DWT_CYCCNT, 0x12345678);
    check("dwt has a cycle counter", DWT_CTRL >> 25 & 1, 0);
}

static void trace_port(void) {
    ITM_LAR = 0xC5ACCE55;
    ITM_TCR = 1;
    ITM_TER = 3;
    check("itm tcr", ITM_TCR & 1, 1);
    check("itm ter", ITM_TER, 3);
    check("itm stimulus port is ready", ITM_STIM(0) & 1, 1);
    for (const char *text = "itm\n"; *text && ITM_STIM(0) & 1; text++) {
        REG8(&ITM_STIM(0)) = (uint8_t)*text;
        for (int polls = 0; polls < 1000 && !(ITM_STIM(0) & 1); polls++) {}
    }
    ITM_TER = 0;
    ITM_TCR = 0;
}

static volatile uint32_t banded;

static void bit_band(void) {
    if (!BITBAND || IS_M7) return;
    uint32_t alias = 0x22000000u + ((uint32_t)&banded - 0x20000000u) * 32;
    banded = 0xA0;
    REG(alias + 4 * 3) = 1;
    check("bit-band sets a bit", banded, 0xA8);
    REG(alias + 4 * 7) = 0xFE; /* bit 0 counts */
    check("bit-band clears a bit", banded, 0x28);
    check("bit-band reads a one", REG(alias + 4 * 5), 1);
    check("bit-band reads a zero", REG(alias + 4 * 4), 0);
    REG8(alias + 4 * 12) = 1;
    check("bit-band byte access", banded, 0x1028);
    alias = 0x42000000u + (BITBAND_REGISTER - 0x40000000u) * 32;
    REG(BITBAND_REGISTER) = 0x20;
    REG(alias + 4 * 6) = 1;
    check("bit-band of a peripheral", REG(BITBAND_REGISTER), 0x60);
    REG(alias + 4 * 5) = 0;
    check("bit-band of a peripheral clears", REG(BITBAND_REGISTER), 0x40);
}

void exceptions_units(void) {
    systick();
    bit_band();
    cycle_counter();
    trace_port();
}
#endif
