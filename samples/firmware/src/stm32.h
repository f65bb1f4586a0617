/* STM32F405 registers that several parts of the test use. RM0090. */
#pragma once
#include "check.h"

#define RCC_CR REG(0x40023800)
#define RCC_PLLCFGR REG(0x40023804)
#define RCC_CFGR REG(0x40023808)
#define RCC_APB1RSTR REG(0x40023820)
#define RCC_AHB1ENR REG(0x40023830)
#define RCC_AHB2ENR REG(0x40023834)
#define RCC_APB1ENR REG(0x40023840)
#define RCC_APB2ENR REG(0x40023844)
#define RCC_BDCR REG(0x40023870)
#define RCC_CSR REG(0x40023874)
#define PWR_CR REG(0x40007000)
#define PWR_CSR REG(0x40007004)

#define GPIO(port) (0x40020000u + 0x400u * ((port) - 'A'))
#define MODER(port) REG(GPIO(port) + 0x00)
#define OTYPER(port) REG(GPIO(port) + 0x04)
#define PUPDR(port) REG(GPIO(port) + 0x0C)
#define IDR(port) REG(GPIO(port) + 0x10)
#define ODR(port) REG(GPIO(port) + 0x14)
#define BSRR(port) REG(GPIO(port) + 0x18)
#define LCKR(port) REG(GPIO(port) + 0x1C)
#define AFRL(port) REG(GPIO(port) + 0x20)

/* Waits until the masked bits are `value`; false if they are not after a few million polls. */
bool wait_for(volatile uint32_t *at, uint32_t mask, uint32_t value);

/* A two-bit field per pin, as in MODER and PUPDR. */
static inline void pin_field(volatile uint32_t *at, unsigned pin, uint32_t value) {
    *at = (*at & ~(3u << 2 * pin)) | value << 2 * pin;
}

/* Waits for about that many processor cycles, on SysTick. */
void cycles(uint32_t count);

void stm32_io(void);    /* USART, SPI, I2C, ADC, DMA */
void stm32_time(void);  /* TIM, RTC, backup registers */
void stm32_reset(void); /* does not come back: software reset; the watchdog's follows in stm32_after_reset() */
bool stm32_after_reset(void);
