/* The network interfaces that there are, by every way to ask for them: what this prints depends on the machine. Nothing is changed. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <linux/if_link.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static struct if_nameindex *interface;
static struct ifreq request;
static int sock;

static void address(const char *what, const struct sockaddr *a)
{
    char text[100] = "";
    if (!a)
        return;
    if (a->sa_family == AF_INET)
        inet_ntop(AF_INET, &((struct sockaddr_in *)a)->sin_addr, text, sizeof text);
    if (a->sa_family == AF_INET6) {
        const struct sockaddr_in6 *s = (const void *)a;
        inet_ntop(AF_INET6, &s->sin6_addr, text, sizeof text);
        sprintf(text + strlen(text), "%%%u", s->sin6_scope_id);
    }
    if (a->sa_family == AF_PACKET) {
        const struct sockaddr_ll *l = (const void *)a;
        sprintf(text, "%d index %d type %d length %d", l->sll_protocol, l->sll_ifindex, l->sll_hatype, l->sll_halen);
        for (int n = 0; n < l->sll_halen; n++)
            sprintf(text + strlen(text), ":%02x", l->sll_addr[n]);
    }
    printf(" %s %d %s", what, a->sa_family, text);
}

static int ask(unsigned long number, const char *name)
{
    memset(&request, 0, sizeof request);
    strcpy(request.ifr_name, interface->if_name);
    request.ifr_flags = 0x55;
    errno = 0;
    int result = ioctl(sock, number, &request);
    printf("\n  %s %d %d", name, result, errno);
    return result == 0;
}
#define ASK(number) ask(number, #number)

int main(void)
{
    struct ifaddrs *list, *i;
    if (getifaddrs(&list))
        return 1;
    for (i = list; i; i = i->ifa_next) {
        printf("%s %x", i->ifa_name, i->ifa_flags);
        address("address", i->ifa_addr); address("mask", i->ifa_netmask);
        if (i->ifa_flags & (IFF_BROADCAST | IFF_POINTOPOINT))
            address("other", i->ifa_broadaddr);
        if (i->ifa_data && i->ifa_addr->sa_family == AF_PACKET)
            printf(" %d", ((struct rtnl_link_stats *)i->ifa_data)->multicast < 1 << 24);
        puts("");
    }
    struct if_nameindex *all = if_nameindex();
    sock = socket(AF_INET, SOCK_DGRAM, 0);
    for (interface = all; interface->if_index; interface++) {
        char name[IF_NAMESIZE];
        printf("%u %s %u %s", interface->if_index, interface->if_name, if_nametoindex(interface->if_name),
               if_indextoname(interface->if_index, name));
        if (ASK(SIOCGIFFLAGS)) printf(" %x", request.ifr_flags & 0xFFFF);
        if (ASK(SIOCGIFMTU)) printf(" %d", request.ifr_mtu);
        if (ASK(SIOCGIFMETRIC)) printf(" %d", request.ifr_metric);
        if (ASK(SIOCGIFINDEX)) printf(" %d", request.ifr_ifindex);
        if (ASK(SIOCGIFTXQLEN)) printf(" %d", request.ifr_qlen);
        if (ASK(SIOCGIFHWADDR)) printf(" %d %02x", request.ifr_hwaddr.sa_family, request.ifr_hwaddr.sa_data[5] & 255);
        if (ASK(SIOCGIFADDR)) address("", &request.ifr_addr);
        if (ASK(SIOCGIFNETMASK)) address("", &request.ifr_addr);
        if (ASK(SIOCGIFBRDADDR)) address("", &request.ifr_addr);
        if (ASK(SIOCGIFDSTADDR)) address("", &request.ifr_addr);
        if (ASK(SIOCGIFMAP))
            printf(" %lx %lx %x %d", request.ifr_map.mem_start, request.ifr_map.mem_end, request.ifr_map.base_addr, request.ifr_map.irq);
        ASK(SIOCGIFPFLAGS); ASK(SIOCGIFSLAVE); ASK(SIOCGIFENCAP); ASK(SIOCGIFMEM);
        memset(&request, 0, sizeof request);
        request.ifr_ifindex = interface->if_index;
        printf("\n  %d %s\n", ioctl(sock, SIOCGIFNAME, &request), request.ifr_name);
    }
    printf("%u", if_nametoindex("nosuch")); printf(" %d", errno);
    strcpy(request.ifr_name, "nosuch");
    printf(" %d", ioctl(sock, SIOCGIFFLAGS, &request)); printf(" %d\n", errno);

    struct ifreq room[100];
    struct ifconf conf = {.ifc_len = sizeof room, .ifc_req = room};
    printf("%d", ioctl(sock, SIOCGIFCONF, &conf));
    for (size_t n = 0; n < conf.ifc_len / sizeof *room; n++) {
        printf(" %s", room[n].ifr_name);
        address("", &room[n].ifr_addr);
    }
    conf.ifc_len = 0; conf.ifc_req = 0;
    printf("\n%d", ioctl(sock, SIOCGIFCONF, &conf));
    printf(" %zu\n", conf.ifc_len / sizeof *room);

    struct group_source_req group = {.gsr_interface = if_nametoindex("lo")};
    struct sockaddr_in *where = (void *)&group.gsr_group, *source = (void *)&group.gsr_source;
    where->sin_family = source->sin_family = AF_INET;
    where->sin_addr.s_addr = htonl(0xE00000FB); source->sin_addr.s_addr = htonl(0x7F000001);
    printf("%d", setsockopt(sock, SOL_IP, MCAST_JOIN_GROUP, &group, sizeof(struct group_req)));
    printf(" %d", setsockopt(sock, SOL_IP, MCAST_JOIN_GROUP, &group, sizeof(struct group_req))); printf(" %d", errno);
    printf(" %d", setsockopt(sock, SOL_IP, MCAST_BLOCK_SOURCE, &group, sizeof group));
    printf(" %d", setsockopt(sock, SOL_IP, MCAST_UNBLOCK_SOURCE, &group, sizeof group));
    printf(" %d", setsockopt(sock, SOL_IP, MCAST_LEAVE_GROUP, &group, sizeof(struct group_req)));
    printf(" %d", setsockopt(sock, SOL_IP, MCAST_LEAVE_GROUP, &group, sizeof(struct group_req))); printf(" %d", errno);
    printf(" %d", setsockopt(sock, SOL_IP, MCAST_JOIN_SOURCE_GROUP, &group, sizeof group));
    printf(" %d", setsockopt(sock, SOL_IP, MCAST_LEAVE_SOURCE_GROUP, &group, sizeof group));
    printf(" %d", setsockopt(sock, SOL_IP, MCAST_JOIN_GROUP, &group, 8)); printf(" %d\n", errno);
    return 0;
}
