/* Stands between the server and the disk (LD_PRELOAD): fails on command, and notes in which order things happen.
 *
 * Built by the tests with -DCONTROL="<file>". The first word of the control file says what to do:
 *   ok    pass everything on
 *   eio   fsync and fdatasync of any file answer EIO
 * Notes, a line each, in <control file>.order:
 *   written      octets are about to enter SQLite's write-ahead log
 *   synced       the log is on disk
 *   failed       the log is not: EIO was answered
 *   replied NNN  an HTTP answer with this status is about to leave
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static void note(const char *line, size_t length) {
    int kept = errno;
    int order = syscall(SYS_openat, AT_FDCWD, CONTROL ".order", O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (order >= 0) { syscall(SYS_write, order, line, length); syscall(SYS_close, order); }
    errno = kept;
}

static int told(const char *word) {
    char found[8] = "ok";
    int control = syscall(SYS_openat, AT_FDCWD, CONTROL, O_RDONLY | O_CLOEXEC);
    if (control >= 0) {
        long length = syscall(SYS_read, control, found, sizeof found - 1);
        found[length > 0 ? length : 0] = 0;
        syscall(SYS_close, control);
    }
    return strcmp(found, word) == 0;
}

static int is_log(int file) {
    char link[32], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    int kept = errno;
    ssize_t length = readlink(link, path, sizeof path);
    errno = kept;
    return length > 4 && memcmp(path + length - 4, "-wal", 4) == 0;
}

static void note_write(int file) {
    if (is_log(file)) note("written\n", 8);
}

static void note_reply(const void *start, size_t length) {
    char line[] = "replied NNN\n";
    if (length < 12 || memcmp(start, "HTTP/1.1 ", 9) != 0) return;
    memcpy(line + 8, (const char *)start + 9, 3);
    note(line, 12);
}

static int sync_by(long call, int file) {
    int log = is_log(file);
    if (told("eio")) {
        if (log) note("failed\n", 7);
        errno = EIO;
        return -1;
    }
    int answer = syscall(call, file);
    if (answer == 0 && log) note("synced\n", 7);
    return answer;
}

int fsync(int file) { return sync_by(SYS_fsync, file); }
int fdatasync(int file) { return sync_by(SYS_fdatasync, file); }

ssize_t write(int file, const void *from, size_t length) {
    note_write(file);
    return syscall(SYS_write, file, from, length);
}

ssize_t pwrite(int file, const void *from, size_t length, off_t at) {
    note_write(file);
    return syscall(SYS_pwrite64, file, from, length, at);
}

ssize_t pwrite64(int file, const void *from, size_t length, off64_t at) { return pwrite(file, from, length, at); }

ssize_t send(int socket, const void *from, size_t length, int flags) {
    note_reply(from, length);
    return syscall(SYS_sendto, socket, from, length, flags, NULL, 0);
}

ssize_t writev(int file, const struct iovec *parts, int count) {
    if (count > 0) note_reply(parts[0].iov_base, parts[0].iov_len);
    return syscall(SYS_writev, file, parts, count);
}
