/* LD_PRELOAD: counts what is synced to disk, and makes a sync as slow as a slow disk's.

   SYNC_COUNTER   a file of eight bytes: the number of calls of fsync and fdatasync by every process
                  that has it, as it is at any moment
   SYNC_DELAY_US  a call sleeps for so long and syncs nothing; 0: it syncs as ever */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

typedef int sync_call(int);

static uint64_t *counter;
static long delay_us;

static void die(const char *what) {
  perror(what);
  abort();
}

__attribute__((constructor)) static void start(void) {
  const char *path = getenv("SYNC_COUNTER"), *delay = getenv("SYNC_DELAY_US");
  delay_us = delay ? atol(delay) : 0;
  if (!path) return;
  int fd = open(path, O_RDWR | O_CLOEXEC);
  if (fd < 0) die("slow_sync: open");
  counter = mmap(NULL, sizeof *counter, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (counter == MAP_FAILED) die("slow_sync: mmap");
  close(fd);
}

static int sync_file(int fd, const char *name) {
  if (counter) __atomic_add_fetch(counter, 1, __ATOMIC_RELAXED);
  if (!delay_us) return ((sync_call *)dlsym(RTLD_NEXT, name))(fd);
  struct timespec left = {delay_us / 1000000, delay_us % 1000000 * 1000};
  while (nanosleep(&left, &left) && errno == EINTR) continue;
  return 0;
}

int fsync(int fd) { return sync_file(fd, "fsync"); }
int fdatasync(int fd) { return sync_file(fd, "fdatasync"); }
