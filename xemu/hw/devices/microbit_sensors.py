"""Motion sensors of the micro:bit: Freescale MMA8653FC (data sheet rev. 8.2) and MAG3110 (data sheet rev. 9.2)."""

from __future__ import annotations

from xemu.hw.devices.i2c import I2cSlave
from xemu.hw.devices.outside import Sensing
from xemu.hw.parts import IrqOut, Timer, Var
from xemu.hw.registers import RO, RW, TODO, Reg


class Mma8653(I2cSlave, Sensing):
    """Accelerometer, 10 bits an axis. `set(x, y, z)` says what it feels, in thousandths of g along its own axes."""

    i2c_address = 0x1D
    outside = ("felt",)
    PERIODS = (1250, 2500, 5000, 10_000, 20_000, 80_000, 160_000, 640_000)        # microseconds, by CTRL_REG1.DR
    int1, int2 = IrqOut(), IrqOut()             # levels of the two pins
    clock = Timer(1_000_000)
    felt = Var([0, 0, -1000])

    STATUS = Reg(0x00, "Data status", width=8, DR=RO[2:0], ZYXDR=RO[3], OW=RO[6:4], ZYXOW=RO[7])
    OUT = Reg(0x01, "Samples, high and low byte of X, Y, Z", width=8, count=6, access=RO)
    SYSMOD = Reg(0x0B, "Mode", width=8, SYSMOD=RO[1:0](standby=0, wake=1, sleep=2))
    INT_SOURCE = Reg(0x0C, "Interrupt status", width=8, SRC_DRDY=RO[0], SRC_FF_MT=RO[2], SRC_LNDPRT=RO[4], SRC_ASLP=RO[7])
    WHO_AM_I = Reg(0x0D, "Identity", width=8, reset=0x5A, access=RO)
    XYZ_DATA_CFG = Reg(0x0E, "Range", width=8, FS=RW[1:0](g2=0, g4=1, g8=2))
    PL = Reg(0x10, "Orientation", width=8, count=5, access=TODO)
    FF_MT = Reg(0x15, "Freefall and motion", width=8, count=4, access=TODO)
    ASLP_COUNT = Reg(0x29, "Auto-sleep", width=8, access=TODO)
    CTRL_REG1 = Reg(0x2A, "Control 1", width=8, ACTIVE=RW[0], F_READ=RW[1], DR=RW[5:3], ASLP_RATE=TODO[7:6])
    CTRL_REG2 = Reg(0x2B, "Control 2", width=8, MODS=RW[1:0], SLPE=TODO[2], SMODS=RW[4:3], RST=RW[6], ST=TODO[7])
    CTRL_REG3 = Reg(0x2C, "Control 3", width=8, PP_OD=RW[0], IPOL=RW[1], WAKE=TODO[5:3])
    CTRL_REG4 = Reg(0x2D, "Interrupt enable", width=8, INT_EN_DRDY=RW[0], INT_EN_OTHER=TODO[7:1])
    CTRL_REG5 = Reg(0x2E, "Interrupt pins", width=8, INT_CFG_DRDY=RW[0](int2=0, int1=1), INT_CFG_OTHER=RW[7:1])
    OFF = Reg(0x2F, "Offsets", width=8, count=3)

    def set(self, x: int, y: int, z: int) -> None:
        """Say what it feels, in thousandths of g."""
        self.feel("felt", [x, y, z])

    @CTRL_REG1.on_write
    def _control(self, value, old):
        self.SYSMOD = value & 1
        if not value & 1:
            self.clock.cancel()
        elif value != old:
            self.clock.start(0)
            self.clock.expire_at(self.PERIODS[self.CTRL_REG1.DR])

    @CTRL_REG2.on_write
    def _reset_by_guest(self, value):
        if value & 0x40:
            self.reset()

    @clock.expired
    def _sample(self):
        lost = self.STATUS.ZYXDR
        scale = 256 >> min(int(self.XYZ_DATA_CFG.FS), 2)
        for i, (felt, offset) in enumerate(zip(self.felt, self.OFF, strict=True)):
            trim = int(offset) - (int(offset) & 0x80) * 2
            count = max(-512, min(511, round(felt * scale / 1000) + trim * scale // 512)) & 0x3FF
            self.OUT[2 * i], self.OUT[2 * i + 1] = count >> 2, (count & 3) << 6
        self.STATUS = 0xFF if lost else 0x0F
        self.INT_SOURCE.SRC_DRDY = 1
        self.clock.expire_at(self.clock.value + self.PERIODS[self.CTRL_REG1.DR])

    @OUT.on_read
    def _read_sample(self, index):
        if index % 2 == 0:                      # a high byte: what is ready has been fetched
            self.STATUS, self.INT_SOURCE.SRC_DRDY = 0, 0

    def following(self, pointer: int) -> int:
        """With F_READ only high bytes are read; after the samples the pointer goes back to STATUS."""
        if self.CTRL_REG1.F_READ and pointer in (1, 3):
            return pointer + 2
        return 0 if pointer == (5 if self.CTRL_REG1.F_READ else 6) else super().following(pointer)

    def update(self) -> None:
        ready = self.INT_SOURCE.SRC_DRDY and self.CTRL_REG4.INT_EN_DRDY
        idle = not self.CTRL_REG3.IPOL
        self.int1.set(idle ^ bool(ready and self.CTRL_REG5.INT_CFG_DRDY))
        self.int2.set(idle ^ bool(ready and not self.CTRL_REG5.INT_CFG_DRDY))


class Mag3110(I2cSlave, Sensing):
    """Magnetometer. `set(x, y, z)` says the field in nanotesla along its own axes; a count is 100 nT."""

    i2c_address = 0x0E
    outside = ("field",)
    int1 = IrqOut()                             # high while a sample waits
    clock = Timer(1_000_000)
    field = Var([20_000, 0, 40_000])            # about that of central Europe

    DR_STATUS = Reg(0x00, "Data status", width=8, DR=RO[2:0], ZYXDR=RO[3], OW=RO[6:4], ZYXOW=RO[7])
    OUT = Reg(0x01, "Samples, high and low byte of X, Y, Z", width=8, count=6, access=RO)
    WHO_AM_I = Reg(0x07, "Identity", width=8, reset=0xC4, access=RO)
    SYSMOD = Reg(0x08, "Mode", width=8, SYSMOD=RO[1:0](standby=0, raw=1, corrected=2))
    OFF = Reg(0x09, "Offsets, high and low byte of X, Y, Z", width=8, count=6)
    DIE_TEMP = Reg(0x0F, "Temperature in degrees", width=8, reset=21, access=RO)
    CTRL_REG1 = Reg(0x10, "Control 1", width=8, AC=RW[0], TM=RW[1], FR=RW[2], OS=RW[4:3], DR=RW[7:5])
    CTRL_REG2 = Reg(0x11, "Control 2", width=8, MAG_RST=RW[4], RAW=RW[5], AUTO_MRST_EN=RW[7])

    def set(self, x: int, y: int, z: int) -> None:
        """Say what the field is, in nanotesla."""
        self.feel("field", [x, y, z])

    def _period(self) -> int:
        return 12_500 << int(self.CTRL_REG1.DR) + int(self.CTRL_REG1.OS)

    @CTRL_REG1.on_write
    def _control(self, value, old):
        self.SYSMOD = (1 if self.CTRL_REG2.RAW else 2) if value & 1 else 0
        if not value & 3:
            self.clock.cancel()
        elif value != old:
            self.clock.start(0)
            self.clock.expire_at(self._period())

    @CTRL_REG2.on_write
    def _control2(self, _value):
        self.CTRL_REG2.MAG_RST = 0              # the sensor's own reset is over before the next access

    @clock.expired
    def _sample(self):
        lost = self.DR_STATUS.ZYXDR
        for i in range(3):
            count = round(self.field[i] / 100)
            if not self.CTRL_REG2.RAW:
                offset = (int(self.OFF[2 * i]) << 8 | int(self.OFF[2 * i + 1])) >> 1
                count -= offset - (offset & 0x4000) * 2
            count = max(-32_768, min(32_767, count)) & 0xFFFF
            self.OUT[2 * i], self.OUT[2 * i + 1] = count >> 8, count & 0xFF
        self.DR_STATUS = 0xFF if lost else 0x0F
        self.CTRL_REG1.TM = 0
        if self.CTRL_REG1.AC:
            self.clock.expire_at(self.clock.value + self._period())

    @OUT.on_read
    def _read_sample(self, index):
        if index % 2 == 0:
            self.DR_STATUS = 0

    def following(self, pointer: int) -> int:
        """With FR only high bytes are read; after the samples the pointer goes back to DR_STATUS."""
        if self.CTRL_REG1.FR and pointer in (1, 3):
            return pointer + 2
        return 0 if pointer == (5 if self.CTRL_REG1.FR else 6) else super().following(pointer)

    def update(self) -> None:
        self.int1.set(self.DR_STATUS.ZYXDR)
