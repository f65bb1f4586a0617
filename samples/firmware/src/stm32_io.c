/* STM32F405: USART, SPI, I2C, ADC and DMA. RM0090, 10, 13, 27, 28, 30. */
#include "stm32.h"

#define USART1_SR REG(0x40011000)
#define USART1_CR3 REG(0x40011014)
#define USART2_SR REG(0x40004400)
#define USART2_DR REG(0x40004404)
#define USART2_BRR REG(0x40004408)
#define USART2_CR1 REG(0x4000440C)
#define USART2_IRQ 38
#define TXE 0x80u
#define TC 0x40u

#define SPI1_CR1 REG(0x40013000)
#define SPI1_SR REG(0x40013008)
#define SPI1_DR REG(0x4001300C)
#define SPI_RXNE 1u
#define SPI_TXE 2u
#define SPI_MODF 0x20u
#define SPI_OVR 0x40u
#define SPI_BSY 0x80u

#define I2C1_CR1 REG(0x40005400)
#define I2C1_CR2 REG(0x40005404)
#define I2C1_DR REG(0x40005410)
#define I2C1_SR1 REG(0x40005414)
#define I2C1_SR2 REG(0x40005418)
#define I2C1_CCR REG(0x4000541C)
#define I2C1_TRISE REG(0x40005420)

#define ADC1_SR REG(0x40012000)
#define ADC1_CR1 REG(0x40012004)
#define ADC1_CR2 REG(0x40012008)
#define ADC1_SMPR1 REG(0x4001200C)
#define ADC1_SQR1 REG(0x4001202C)
#define ADC1_SQR3 REG(0x40012034)
#define ADC1_DR REG(0x4001204C)
#define ADC_CCR REG(0x40012304)
#define EOC 2u
#define ADC_IRQ 18

#define DMA2 0x40026400u
#define LISR REG(DMA2 + 0x00)
#define HISR REG(DMA2 + 0x04)
#define LIFCR REG(DMA2 + 0x08)
#define HIFCR REG(DMA2 + 0x0C)
#define S_CR(n) REG(DMA2 + 0x10 + 0x18 * (n))
#define S_NDTR(n) REG(DMA2 + 0x14 + 0x18 * (n))
#define S_PAR(n) REG(DMA2 + 0x18 + 0x18 * (n))
#define S_M0AR(n) REG(DMA2 + 0x1C + 0x18 * (n))
#define S_FCR(n) REG(DMA2 + 0x24 + 0x18 * (n))
#define MEMORY_TO_MEMORY (2u << 6)
#define TO_PERIPHERAL (1u << 6)
#define PINC 0x200u
#define MINC 0x400u
#define SIZES(peripheral, memory) ((peripheral) << 11 | (memory) << 13)
#define TEIE 4u
#define HTIE 8u
#define TCIE 16u
#define STREAM0_IRQ 56
#define STREAM7_IRQ 70

static void usart(void) {
    RCC_APB1ENR |= 1u << 17;
    check("usart sr at reset", USART2_SR, TXE | TC);
    USART2_BRR = 0x8B;
    USART2_CR1 = 0x200C;
    check("usart brr reads", USART2_BRR, 0x8B);
    check("usart cr1 reads", USART2_CR1, 0x200C);
    USART2_SR = ~TC;
    check("usart tc is cleared by 0", USART2_SR & TC, 0);
    USART2_DR = 'x';
    check("usart txe after a byte", wait_for(&USART2_SR, TXE, TXE), 1);
    check("usart tc after a byte", wait_for(&USART2_SR, TC, TC), 1);
    check("usart has received nothing", USART2_SR & 0x20, 0);
    check("usart interrupt is off", nvic_pending(USART2_IRQ), 0);
    USART2_CR1 |= TXE;
    sync();
    check("usart txeie pends the interrupt", nvic_pending(USART2_IRQ), 1);
    USART2_CR1 = 0x200C;
    NVIC_ICPR(USART2_IRQ / 32) = 1u << USART2_IRQ % 32;
    check("usart interrupt is gone", nvic_pending(USART2_IRQ), 0);
    USART2_CR1 = 0;
}

static void spi(void) {
    RCC_APB2ENR |= 1u << 12;
    check("spi sr at reset", SPI1_SR, SPI_TXE);
    SPI1_CR1 = 0x0344; /* master, software select high, enabled, clock / 2 */
    check("spi cr1 reads", SPI1_CR1, 0x0344);
    SPI1_DR = 0xA5;
    check("spi receives while it sends", wait_for(&SPI1_SR, SPI_RXNE, SPI_RXNE), 1);
    check("spi gets idle", wait_for(&SPI1_SR, SPI_BSY | SPI_TXE, SPI_TXE), 1);
    (void)SPI1_DR;
    check("reading dr clears rxne", SPI1_SR & SPI_RXNE, 0);
    SPI1_DR = 1;
    wait_for(&SPI1_SR, SPI_BSY | SPI_TXE, SPI_TXE);
    SPI1_DR = 2;
    check("spi overrun", wait_for(&SPI1_SR, SPI_OVR, SPI_OVR), 1);
    (void)SPI1_DR;
    (void)SPI1_SR;
    check("spi overrun is cleared by dr and sr", SPI1_SR & SPI_OVR, 0);
    SPI1_CR1 = 0x0244; /* the select input goes low: another master */
    check("spi mode fault", SPI1_SR & SPI_MODF, SPI_MODF);
    check("spi mode fault ends master mode", SPI1_CR1 & 0x44, 0);
    SPI1_CR1 = 0;
    check("spi mode fault is cleared by sr and cr1", SPI1_SR & SPI_MODF, 0);
}

static void i2c(void) {
    RCC_APB1ENR |= 1u << 21;
    pin_field(&PUPDR('B'), 6, 1);
    pin_field(&PUPDR('B'), 7, 1);
    OTYPER('B') |= 3u << 6;
    AFRL('B') = (AFRL('B') & 0x00FFFFFF) | 0x44000000;
    pin_field(&MODER('B'), 6, 2);
    pin_field(&MODER('B'), 7, 2);
    I2C1_CR2 = 16; /* APB1 in MHz */
    I2C1_CCR = 80; /* 100 kHz */
    I2C1_TRISE = 17;
    I2C1_CR1 = 1;
    I2C1_CR1 = 0x101;
    check("i2c start", wait_for(&I2C1_SR1, 1, 1), 1);
    check("i2c is master and busy", I2C1_SR2 & 3, 3);
    I2C1_DR = 0x50 << 1;
    check("i2c absent address is not acknowledged", wait_for(&I2C1_SR1, 1u << 10, 1u << 10), 1);
    check("i2c addr stays 0", I2C1_SR1 & 2, 0);
    I2C1_CR1 = 0x201;
    I2C1_SR1 = ~(1u << 10) & 0xFFFF;
    check("i2c af is cleared by 0", I2C1_SR1 & 1u << 10, 0);
    check("i2c bus is free after stop", wait_for(&I2C1_SR2, 3, 0), 1);
    I2C1_CR1 = 0;
}

static uint32_t convert(unsigned channel) {
    ADC1_SQR3 = channel;
    ADC1_CR2 = 1u << 30 | 1; /* SWSTART, ADON */
    if (!wait_for(&ADC1_SR, EOC, EOC)) return 0xFFFF;
    return ADC1_DR;
}

static void adc(void) {
    RCC_APB2ENR |= 1u << 8;
    ADC_CCR = 1u << 23; /* temperature sensor and reference */
    ADC1_SMPR1 = 7u << 18 | 7u << 21;
    ADC1_SQR1 = 0;
    ADC1_CR2 = 1;
    cycles(160);
    check("adc is idle", ADC1_SR & EOC, 0);
    uint32_t value = convert(17);
    check("adc reference is about 1.2 V of 3.3 V", value > 1300 && value < 1700, 1);
    check("reading dr clears eoc", ADC1_SR & EOC, 0);
    value = convert(16);
    check("adc temperature sensor is about 0.76 V", value > 750 && value < 1150, 1);
    ADC1_CR1 = 3u << 24;
    value = convert(17);
    check("adc with 6 bits", value > 19 && value < 28, 1);
    ADC1_CR1 = 1u << 5; /* EOCIE */
    ADC1_CR2 = 1u << 30 | 1;
    wait_for(&ADC1_SR, EOC, EOC);
    check("adc interrupt", nvic_pending(ADC_IRQ), 1);
    ADC1_CR1 = 0;
    ADC1_CR2 = 0;
    (void)ADC1_DR;
    NVIC_ICPR(0) = 1u << ADC_IRQ;
}

/* ---- DMA ---- */

static uint32_t from[64], to[64];

static void on_stream0(struct frame *frame, uint32_t exc_return) {
    (void)frame, (void)exc_return;
    uint32_t flags = LISR;
    if (flags & 8) mark('E');
    if (flags & 16) mark('H');
    if (flags & 32) mark('C');
    LIFCR = flags & 0x3D;
    sync();
}

static uint32_t differences(void) {
    uint32_t count = 0;
    for (unsigned n = 0; n < 64; n++) count += to[n] != from[n];
    return count;
}

static void start_copy(uint32_t settings, uint32_t items) {
    for (unsigned n = 0; n < 64; n++) from[n] = n * 0x01234567u, to[n] = 0;
    order_clear();
    S_PAR(0) = (uint32_t)from;
    S_M0AR(0) = (uint32_t)to;
    S_NDTR(0) = items;
    S_FCR(0) = 7; /* through the FIFO */
    S_CR(0) = MEMORY_TO_MEMORY | PINC | MINC | settings;
    S_CR(0) |= 1;
}

static void dma_memory(void) {
    RCC_AHB1ENR |= 1u << 22;
    hooks[16 + STREAM0_IRQ] = on_stream0;
    start_copy(SIZES(2u, 2u), 64);
    check("dma completes", wait_for(&LISR, 32, 32), 1);
    check("dma half-way flag", LISR & 16, 16);
    check("dma copies", differences(), 0);
    check("dma stream is off at the end", S_CR(0) & 1, 0);
    check("dma ndtr is 0", S_NDTR(0), 0);
    LIFCR = 0x3D;
    check("dma flags clear", LISR & 0x3D, 0);
    start_copy(SIZES(0u, 2u), 256);
    wait_for(&LISR, 32, 32);
    check("dma packs bytes into words", differences(), 0);
    LIFCR = 0x3D;
    nvic_enable(STREAM0_IRQ);
    start_copy(SIZES(2u, 2u) | HTIE | TCIE, 64);
    wait_for(&S_CR(0), 1, 0);
    sync();
    check_text("dma half and complete interrupt", order, "HC");
    check("dma copies again", differences(), 0);
    start_copy(SIZES(2u, 2u) | TEIE, 64);
    wait_for(&S_CR(0), 1, 0);
    LIFCR = 0x3D;
    order_clear();
    S_PAR(0) = HOLE;
    S_NDTR(0) = 4;
    S_CR(0) |= 1;
    wait_for(&S_CR(0), 1, 0);
    sync();
    check_text("dma from a hole is a transfer error", order, "E");
    nvic_disable(STREAM0_IRQ);
}

static volatile unsigned halves, completes;

static void on_stream7(struct frame *frame, uint32_t exc_return) {
    (void)frame, (void)exc_return;
    uint32_t flags = HISR >> 22;
    halves += flags >> 4 & 1;
    completes += flags >> 5 & 1;
    HIFCR = (flags & 0x3D) << 22;
    sync();
}

static void dma_usart(void) {
    static const char line[] = "  sent by dma\r\n";
    hooks[16 + STREAM7_IRQ] = on_stream7;
    while (!(USART1_SR & TC)) {}
    S_PAR(7) = 0x40011004;
    S_M0AR(7) = (uint32_t)line;
    S_NDTR(7) = sizeof line - 1;
    S_FCR(7) = 0x21;
    S_CR(7) = 4u << 25 | TO_PERIPHERAL | MINC | HTIE | TCIE;
    nvic_enable(STREAM7_IRQ);
    USART1_SR = ~TC;
    S_CR(7) |= 1;
    USART1_CR3 = 0x80; /* DMAT */
    check("dma to usart ends", wait_for(&S_CR(7), 1, 0), 1);
    USART1_CR3 = 0;
    check("usart tc after dma", wait_for(&USART1_SR, TC, TC), 1);
    check("dma to usart: half interrupt", halves, 1);
    check("dma to usart: complete interrupt", completes, 1);
    nvic_disable(STREAM7_IRQ);
}

void stm32_io(void) {
    usart();
    spi();
    i2c();
    adc();
    dma_memory();
    dma_usart();
}
