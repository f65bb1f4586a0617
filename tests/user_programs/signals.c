#define _GNU_SOURCE
#include <stdio.h>
#include <signal.h>
#include <string.h>
#include <stdlib.h>
#include <unistd.h>
#include <setjmp.h>
#include <sys/time.h>
#include <errno.h>
#include <ucontext.h>
#ifdef __arm__
#define SP(m) ((m).arm_sp)
#elif defined __x86_64__
#define SP(m) ((m).gregs[REG_RSP])
#elif defined __powerpc64__
#define SP(m) ((m).gp_regs[1])
#elif defined __powerpc__
#define SP(m) ((m).uc_regs->gregs[1])
#else
#define SP(m) ((m).gregs[REG_ESP])
#endif
static sigjmp_buf jb;
static volatile int got;
static void segv(int s, siginfo_t*i, void*u){ ucontext_t*c=u; printf("segv %d code %d addr %p %d\n",s,i->si_code,i->si_addr,SP(c->uc_mcontext)!=0); fflush(stdout); siglongjmp(jb,1);}
static void usr(int s, siginfo_t*i, void*u){ got++; printf("usr %d code %d val %d\n",s,i->si_code,i->si_code==SI_QUEUE?i->si_value.sival_int:0);}
static void plain(int s){ got++; printf("plain %d\n", s);}
static void alt(int s){ char c; stack_t st; sigaltstack(0,&st); printf("alt on stack %d flags %d\n", (char*)st.ss_sp<=&c && &c<(char*)st.ss_sp+st.ss_size, st.ss_flags);}
int main(){
  struct sigaction sa={0}; sa.sa_sigaction=segv; sa.sa_flags=SA_SIGINFO; sigaction(SIGSEGV,&sa,0);
  if(!sigsetjmp(jb,1)) *(volatile int*)0x10=1;
  if(!sigsetjmp(jb,1)) *(volatile int*)main=1;
  if(!sigsetjmp(jb,1)) ((void(*)(void))0x123450)();
  sa.sa_sigaction=usr; sigaction(SIGUSR1,&sa,0); sigaction(SIGRTMIN+2,&sa,0);
  raise(SIGUSR1); kill(getpid(),SIGUSR1);
  union sigval v={.sival_int=77}; sigqueue(getpid(),SIGRTMIN+2,v);
  sigset_t m,o; sigemptyset(&m); sigaddset(&m,SIGRTMIN+2); sigprocmask(SIG_BLOCK,&m,&o);
  v.sival_int=1; sigqueue(getpid(),SIGRTMIN+2,v); v.sival_int=2; sigqueue(getpid(),SIGRTMIN+2,v);
  sigpending(&o); printf("pending %d\n", sigismember(&o,SIGRTMIN+2)); sigprocmask(SIG_UNBLOCK,&m,0);
  signal(SIGALRM,plain); struct itimerval it={{0,0},{0,200000}}; setitimer(ITIMER_REAL,&it,0); pause(); printf("pause errno %d got %d\n",errno,got);
  it.it_value.tv_usec=30000; setitimer(ITIMER_REAL,&it,0); int g=got; while(got==g); printf("busy done\n");
  stack_t st={.ss_sp=malloc(32768),.ss_size=32768}; sigaltstack(&st,0); memset(&sa,0,sizeof sa); sa.sa_handler=alt; sa.sa_flags=SA_ONSTACK; sigaction(SIGUSR2,&sa,0); raise(SIGUSR2);
  int p[2]; pipe(p); sa.sa_handler=plain; sa.sa_flags=0; sigaction(SIGALRM,&sa,0); it.it_value.tv_usec=200000; setitimer(ITIMER_REAL,&it,0); char b; int r=read(p[0],&b,1); printf("read %d %s\n",r,strerror(errno));
  sa.sa_flags=SA_RESTART; sigaction(SIGALRM,&sa,0); it.it_value.tv_usec=200000; setitimer(ITIMER_REAL,&it,0); if(!fork()){usleep(500000);write(p[1],"x",1);_exit(0);} r=read(p[0],&b,1); printf("read %d\n",r);
  double d=1.5; raise(SIGUSR1); printf("d %f\n",d*2);
  signal(SIGTERM,SIG_DFL); fflush(stdout); raise(SIGTERM); return 0; }
