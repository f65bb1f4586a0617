/* The periodic interrupt of boards that have the ARMv7-M SysTick. B3.3. */
#include "firmware.h"

void systick_handler(void);

void board_ticks(uint32_t hz) {
    SYST_RVR = CORE_HZ / hz - 1;
    SYST_CVR = 0;
    SYST_CSR = 7; /* processor clock, interrupt, enable */
}

void board_ticks_priority(unsigned priority) { system_priority(SYSTICK, priority); }

void systick_handler(void) { on_tick(); }
