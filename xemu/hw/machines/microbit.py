"""BBC micro:bit V1: an nRF51822 QFAA with motion sensors, two buttons and 25 LEDs. nRF51822 Product Specification 3.1."""

from __future__ import annotations

from xemu.hw import Flash, Hole, KiB, Ram
from xemu.hw.cortex_m import CortexM0
from xemu.hw.devices.microbit_parts import Button, LedMatrix
from xemu.hw.devices.microbit_sensors import Mag3110, Mma8653
from xemu.hw.devices.nrf51_analog import Nrf51Adc, Nrf51LowPowerComparator, Nrf51QuadratureDecoder, Nrf51Rng, Nrf51Temp
from xemu.hw.devices.nrf51_crypto import Nrf51CcmAar, Nrf51Ecb
from xemu.hw.devices.nrf51_flash import Nrf51Nvmc, WordRom, factory_information
from xemu.hw.devices.nrf51_gpio import Nrf51Gpio, Nrf51Gpiote
from xemu.hw.devices.nrf51_power import Nrf51Power
from xemu.hw.devices.nrf51_ppi import Nrf51Ppi
from xemu.hw.devices.nrf51_radio import Nrf51Radio
from xemu.hw.devices.nrf51_serial import Nrf51TwiSpi, Nrf51Uart
from xemu.hw.devices.nrf51_timers import Nrf51Rtc, Nrf51Timer, Nrf51Watchdog
from xemu.hw.machine import MHz, machine
from xemu.hw.parts import Wire

REVISION_3 = {0xFE0: 0x01, 0xFE4: 0x00, 0xFE8: 0x70, 0xFEC: 0x00}         # the chip's part and revision, for its errata


def nrf51(m, slaves=()) -> None:
    """Add the chip: 256 KiB of flash, 16 KiB of RAM. `slaves`: parts on TWI0."""
    m.cpu = CortexM0(rate=16 * MHz, irqs=32, priority_bits=2, systick=False, mpu=0)
    m.flash = Flash(at=0, size=256 * KiB)
    m.ram = Ram(at=0x2000_0000, size=16 * KiB)
    m.ficr = WordRom(at=0x1000_0000, size=4 * KiB, words=factory_information(m))
    m.uicr = Flash(at=0x1000_1000, size=4 * KiB)
    m.peripherals = Hole(at=0x4000_0000, size=0x8_0000)
    m.power = Nrf51Power(at=0x4000_0000)
    m.radio = Nrf51Radio(at=0x4000_1000)
    m.uart0 = Nrf51Uart(at=0x4000_2000, line=m.serial(0))
    m.twi0 = Nrf51TwiSpi(at=0x4000_3000, slaves=tuple(slaves))
    m.twi1 = Nrf51TwiSpi(at=0x4000_4000)
    m.gpiote = Nrf51Gpiote(at=0x4000_6000)
    m.adc = Nrf51Adc(at=0x4000_7000)
    m.timer0 = Nrf51Timer(at=0x4000_8000, width=32)
    m.timer1 = Nrf51Timer(at=0x4000_9000)
    m.timer2 = Nrf51Timer(at=0x4000_A000)
    m.rtc0 = Nrf51Rtc(at=0x4000_B000, channels=3)
    m.temp = Nrf51Temp(at=0x4000_C000)
    m.rng = Nrf51Rng(at=0x4000_D000)
    m.ecb = Nrf51Ecb(at=0x4000_E000)
    m.ccm_aar = Nrf51CcmAar(at=0x4000_F000)
    m.wdt = Nrf51Watchdog(at=0x4001_0000)
    m.rtc1 = Nrf51Rtc(at=0x4001_1000)
    m.qdec = Nrf51QuadratureDecoder(at=0x4001_2000)
    m.lpcomp = Nrf51LowPowerComparator(at=0x4001_3000)
    m.nvmc = Nrf51Nvmc(at=0x4001_E000, flash=m.flash, uicr=m.uicr)
    m.ppi = Nrf51Ppi(at=0x4001_F000)
    m.gpio = Nrf51Gpio(at=0x5000_0000)
    m.revision = WordRom(at=0xF000_0000, size=4 * KiB, words=REVISION_3, empty=0)


@machine("microbit", "BBC micro:bit V1: nRF51822, Cortex-M0 at 16 MHz")
def microbit(m) -> None:
    """Build the board."""
    m.accelerometer = Mma8653(int1=Wire("P0.28", lambda level: m.gpio.pins.set(28, level)),
                              int2=Wire("P0.27", lambda level: m.gpio.pins.set(27, level)))
    m.magnetometer = Mag3110(int1=Wire("P0.29", lambda level: m.gpio.pins.set(29, level)))
    nrf51(m, slaves=(m.accelerometer, m.magnetometer))
    m.button_a = Button(gpio=m.gpio, pin=17)
    m.button_b = Button(gpio=m.gpio, pin=26)
    m.display = LedMatrix(gpio=m.gpio)
