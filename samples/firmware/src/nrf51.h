/* nRF51822 registers that several parts of the test use: tasks are triggered by writing 1, events read 1 and are cleared by 0. */
#pragma once
#include "check.h"

#define TASK(peripheral, offset) REG((peripheral) + (offset))
#define EVENT(peripheral, offset) REG((peripheral) + (offset))
#define POWER 0x40000000u
#define CLOCK 0x40000000u
#define PAGE 0x0003F000u /* of flash, for tests */

#define PIN 16 /* P16 of the edge connector: nothing on the board uses it */

bool wait_for(volatile uint32_t *at, uint32_t value); /* false: not after a few million polls */

void flash_write(uint32_t at, uint32_t value);
void flash_erase(uint32_t page);

void nrf51_time(void); /* TIMER, RTC, PPI, GPIOTE */
void nrf51_io(void);   /* UART, TWI, ADC, RADIO */
void nrf51_reset(void); /* does not come back: software reset; the watchdog's follows in nrf51_after_reset() */
bool nrf51_after_reset(void);
