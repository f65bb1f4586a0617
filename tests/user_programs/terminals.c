/* Terminals: what ioctl(2) knows of them, in the names that programs have for flags, characters and speeds. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define SAY(text, value) do { errno = 0; int e_ = (value); printf("%s = %d %s\n", text, e_, e_ < 0 ? strerror(errno) : ""); } while (0)
#define E(call) SAY(#call, call)
#define N(call) do { n = -1; SAY(#call, call); printf("  %d\n", n); } while (0)
#define HAS(set, flag) printf(" %s%s", set & flag ? "" : "-", #flag)

static void flags(unsigned i, unsigned o, unsigned l, unsigned c)
{
    HAS(i, ICRNL); HAS(i, IXON); HAS(i, IXOFF); HAS(o, OPOST); HAS(o, ONLCR); HAS(l, ICANON); HAS(l, ECHO); HAS(l, ISIG); HAS(l, IEXTEN);
    HAS(c, CREAD); printf(" CS%d\n", (c & CSIZE) == CS8 ? 8 : (c & CSIZE) == CS7 ? 7 : 0);
}

static void show(int fd)
{
    struct termios t;
    memset(&t, 0, sizeof t);
    E(tcgetattr(fd, &t));
    flags(t.c_iflag, t.c_oflag, t.c_lflag, t.c_cflag);
    printf(" %d %d intr %d quit %d erase %d kill %d eof %d min %d time %d susp %d start %d stop %d werase %d lnext %d\n",
           cfgetospeed(&t) == B38400, cfgetospeed(&t) == B115200, t.c_cc[VINTR], t.c_cc[VQUIT], t.c_cc[VERASE], t.c_cc[VKILL],
           t.c_cc[VEOF], t.c_cc[VMIN], t.c_cc[VTIME], t.c_cc[VSUSP], t.c_cc[VSTART], t.c_cc[VSTOP], t.c_cc[VWERASE], t.c_cc[VLNEXT]);
}

int main(void)
{
    int n, master = posix_openpt(O_RDWR | O_NOCTTY);
    E(grantpt(master)); E(unlockpt(master));
    int slave = open(ptsname(master), O_RDWR | O_NOCTTY), null = open("/dev/null", O_RDWR);
    char text[64];
    struct termios t;
    struct termio old;
    struct winsize size = {24, 80, 3, 4};

    puts("-- struct termios");
    show(slave);
    E(tcgetattr(slave, &t));
    cfmakeraw(&t); cfsetspeed(&t, B115200); t.c_cc[VMIN] = 3; t.c_cc[VTIME] = 7; t.c_cc[VSUSP] = 9; t.c_iflag |= IXOFF;
    E(tcsetattr(slave, TCSADRAIN, &t));
    show(master);

    puts("-- struct termio");
    memset(&old, 0, sizeof old);
    E(ioctl(slave, TCGETA, &old));
    flags(old.c_iflag, old.c_oflag, old.c_lflag, old.c_cflag);
    printf(" %d %d %d %d\n", old.c_cc[0], old.c_cc[1], old.c_cc[2], old.c_cc[3]);
    old.c_iflag |= ICRNL; old.c_oflag |= OPOST; old.c_lflag |= ISIG; old.c_cc[0] = 5; old.c_cc[2] = 8;
    E(ioctl(slave, TCSETA, &old)); show(slave);
    old.c_cc[3] = 11; E(ioctl(slave, TCSETAW, &old)); old.c_lflag |= ICANON; E(ioctl(slave, TCSETAF, &old)); show(slave);
    E(ioctl(slave, TCGETA, (void *)8)); E(ioctl(slave, TCSETA, (void *)8)); E(ioctl(null, TCGETA, &old)); E(ioctl(null, TCSETA, &old));

    puts("-- sizes and queues");
    E(ioctl(master, TIOCSWINSZ, &size)); memset(&size, 0, sizeof size); E(ioctl(slave, TIOCGWINSZ, &size));
    printf(" %d %d %d %d\n", size.ws_row, size.ws_col, size.ws_xpixel, size.ws_ypixel);
    E(write(master, "hello\n", 6)); usleep(20000);
    N(ioctl(slave, FIONREAD, &n)); N(ioctl(slave, TIOCINQ, &n)); N(ioctl(slave, TIOCOUTQ, &n));
    E(tcflush(slave, TCIFLUSH)); N(ioctl(slave, FIONREAD, &n)); E(tcdrain(slave)); E(tcflow(slave, TCOON)); E(tcsendbreak(slave, 0));
    E(ioctl(slave, TIOCSBRK)); E(ioctl(slave, TIOCCBRK));

    puts("-- pseudo-terminals");
    n = 0; E(ioctl(master, TIOCGPTN, &n)); sprintf(text, "/dev/pts/%d", n); E(strcmp(text, ptsname(master)));
    n = 1; E(ioctl(master, TIOCPKT, &n)); N(ioctl(master, TIOCGPKT, &n)); n = 0; E(ioctl(master, TIOCPKT, &n));
    N(ioctl(master, TIOCGPTLCK, &n)); E(ioctl(slave, TIOCEXCL)); N(ioctl(slave, TIOCGEXCL, &n)); E(ioctl(slave, TIOCNXCL));
    N(ioctl(slave, TIOCGETD, &n)); n = 0; E(ioctl(slave, TIOCSETD, &n)); N(ioctl(slave, TIOCGSOFTCAR, &n)); N(ioctl(slave, TIOCMGET, &n));
    E(ioctl(master, TIOCSIG, SIGINT)); E(ioctl(master, TIOCSIG, 1000)); E(ioctl(slave, 0x1234, &n));

    puts("-- flags of descriptors");
    n = 1; E(ioctl(slave, FIONBIO, &n)); E(!!(fcntl(slave, F_GETFL) & O_NONBLOCK)); E(read(slave, text, 3));
    E(ioctl(slave, FIOCLEX)); E(fcntl(slave, F_GETFD)); E(ioctl(slave, FIONCLEX)); E(fcntl(slave, F_GETFD));

    puts("-- controlling terminal");
    fflush(stdout);
    if (!fork()) {
        setsid();
        E(ioctl(slave, TIOCSCTTY, 0)); E(tcgetpgrp(slave) == getpid()); E(tcgetsid(slave) == getpid()); E(tcsetpgrp(slave, getpid()));
        n = 0; E(ioctl(slave, TIOCGDEV, &n)); E(n != 0);
        signal(SIGHUP, SIG_IGN); E(ioctl(slave, TIOCNOTTY)); E(tcgetpgrp(slave));
        exit(7);
    }
    wait(&n); E(WEXITSTATUS(n));
    return 0;
}
