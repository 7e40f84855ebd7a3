/* LD_PRELOAD: a machine whose power can be cut. What is on its disk is what fsync and fdatasync have
   put there, and nothing else; see tests/crash/machine.py.

   CUT_FOLDER   the folder with the queue file
   CUT_DISK     the disk: INODE is the content of that file at its last sync, INODE.live the file
                itself (a hard link, so that no number is given to a second file), entries the names
                in the folder at its last sync; whoever holds a lock on `power` has cut the power;
                boot_id is what the system says of this boot

   A copy is made before the real sync, which is why all of it was written before; and from then
   until it is in its place nobody else syncs, or an older copy might replace a newer one. */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

typedef int sync_call(int);

static const char *folder, *disk;

__attribute__((constructor)) static void start(void) {
  folder = getenv("CUT_FOLDER");
  disk = getenv("CUT_DISK");
}

static void die(const char *what) {
  perror(what);
  abort();
}

static void copy_content(int from, int to) {
  static __thread char buffer[1 << 16];
  off_t at = 0;
  ssize_t size;
  while ((size = pread(from, buffer, sizeof buffer, at)) > 0) {
    if (write(to, buffer, size) != size) die("powercut: write");
    at += size;
  }
  if (size < 0) die("powercut: pread");
}

static void copy_names(int to) {
  DIR *names = opendir(folder);
  if (!names) die("powercut: opendir");
  for (struct dirent *one; (one = readdir(names));)
    if (one->d_type == DT_REG) dprintf(to, "%lu %s\n", (unsigned long)one->d_ino, one->d_name);
  closedir(names);
}

static int sync_to_disk(int fd, const char *name) {
  sync_call *real = (sync_call *)dlsym(RTLD_NEXT, name);
  char link[64], path[PATH_MAX], new[PATH_MAX + 64], to[PATH_MAX + 64];
  struct stat stat;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = folder && disk ? readlink(link, path, sizeof path - 1) : -1;
  size_t size = folder ? strlen(folder) : 0;
  if (length <= 0 || fstat(fd, &stat)) return real(fd);
  path[length] = 0;
  if (strncmp(path, folder, size) || (path[size] && path[size] != '/')) return real(fd);

  snprintf(to, sizeof to, "%s/power", disk);
  int power = open(to, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (power < 0 || flock(power, LOCK_EX)) die("powercut: power");
  snprintf(new, sizeof new, "%s/new", disk);
  int out = open(new, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (out < 0) die("powercut: open");
  if (S_ISDIR(stat.st_mode)) {
    copy_names(out);
    snprintf(to, sizeof to, "%s/entries", disk);
  } else {
    snprintf(to, sizeof to, "%s/%lu.live", disk, (unsigned long)stat.st_ino);
    linkat(AT_FDCWD, link, AT_FDCWD, to, AT_SYMLINK_FOLLOW);
    copy_content(fd, out);
    snprintf(to, sizeof to, "%s/%lu", disk, (unsigned long)stat.st_ino);
  }
  close(out);
  int answer = real(fd);
  if (!answer && rename(new, to)) die("powercut: rename");
  flock(power, LOCK_UN);  /* closing leaves it to a child that was forked meanwhile */
  close(power);
  return answer;
}

static int open_file(const char *name, const char *path, int flags, va_list arguments) {
  typedef int open_call(const char *, int, ...);
  mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(arguments, mode_t) : 0;
  char to[PATH_MAX];
  if (disk && !strcmp(path, "/proc/sys/kernel/random/boot_id")) {
    snprintf(to, sizeof to, "%s/boot_id", disk);
    path = to;
  }
  return ((open_call *)dlsym(RTLD_NEXT, name))(path, flags, mode);
}

int open(const char *path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  int answer = open_file("open", path, flags, arguments);
  va_end(arguments);
  return answer;
}

int open64(const char *path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  int answer = open_file("open64", path, flags, arguments);
  va_end(arguments);
  return answer;
}

int fsync(int fd) { return sync_to_disk(fd, "fsync"); }
int fdatasync(int fd) { return sync_to_disk(fd, "fdatasync"); }
