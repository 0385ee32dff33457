/* A PKCS#11 module that stands in front of a real one and misbehaves on command.
 *
 * Built by the tests with -DREAL="<module>" -DCONTROL="<file>". The first word of the control file says what to do:
 *   ok    pass everything on
 *   dead  every session and key call answers CKR_DEVICE_REMOVED
 *   hang  every session and key call waits until the word changes
 *   slow  every session and key call takes a fifth of a second
 *   lost  the next key call answers CKR_SESSION_HANDLE_INVALID, and all is well again
 *   lock  every session and key call answers CKR_DEVICE_REMOVED, and C_Login CKR_PIN_LOCKED
 *   flip  one bit of every signature (not of a MAC, which has 32 octets) is flipped
 * Calls of C_Login are counted, one octet each, in <control file>.logins.
 *
 * PKCS#11 v2.40: CK_FUNCTION_LIST is a version and 68 pointers, in the order of the specification.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

typedef unsigned long rv;
typedef unsigned long ulong;
enum { OPEN_SESSION = 12, LOGIN = 18, FIND_OBJECTS_INIT = 26, SIGN_INIT = 42, SIGN = 43, UNWRAP_KEY = 61, COUNT = 68 };
static const rv DEVICE_REMOVED = 0x32, PIN_LOCKED = 0xA4, GENERAL_ERROR = 0x05, SESSION_HANDLE_INVALID = 0xB3;

struct functions { unsigned char version[2]; void *entry[COUNT]; };
static struct functions real, front;

static int told(const char *word) {
    char found[16] = "ok";
    FILE *control = fopen(CONTROL, "r");
    if (control) {
        if (fscanf(control, "%15s", found) != 1) strcpy(found, "ok");
        fclose(control);
    }
    return strcmp(found, word) == 0;
}

/* Whether the device is gone; one that hangs says so never. */
static int gone(void) {
    while (told("hang")) usleep(5000);
    if (told("slow")) usleep(200000);
    return told("dead");
}

static void tell_ok(void) {
    FILE *control = fopen(CONTROL, "w");
    if (control) { fputs("ok", control); fclose(control); }
}

static rv open_session(ulong slot, ulong flags, void *application, void *notify, ulong *session) {
    if (gone()) return DEVICE_REMOVED;
    return ((rv (*)(ulong, ulong, void *, void *, ulong *))real.entry[OPEN_SESSION])(slot, flags, application, notify, session);
}

static rv login(ulong session, ulong user, unsigned char *pin, ulong length) {
    FILE *logins = fopen(CONTROL ".logins", "a");
    if (logins) { fputc('.', logins); fclose(logins); }
    if (told("lock")) return PIN_LOCKED;
    return ((rv (*)(ulong, ulong, unsigned char *, ulong))real.entry[LOGIN])(session, user, pin, length);
}

static rv find_objects_init(ulong session, void *template, ulong count) {
    if (gone() || told("lock")) return DEVICE_REMOVED;
    return ((rv (*)(ulong, void *, ulong))real.entry[FIND_OBJECTS_INIT])(session, template, count);
}

static rv sign_init(ulong session, void *mechanism, ulong key) {
    if (gone() || told("lock")) return DEVICE_REMOVED;
    if (told("lost")) { tell_ok(); return SESSION_HANDLE_INVALID; }
    return ((rv (*)(ulong, void *, ulong))real.entry[SIGN_INIT])(session, mechanism, key);
}

static rv sign(ulong session, unsigned char *data, ulong data_length, unsigned char *signature, ulong *length) {
    rv answer = ((rv (*)(ulong, unsigned char *, ulong, unsigned char *, ulong *))real.entry[SIGN])(session, data, data_length, signature, length);
    if (answer == 0 && signature && *length != 32 && told("flip")) signature[*length / 2] ^= 1;
    return answer;
}

static rv unwrap_key(ulong session, void *mechanism, ulong key, unsigned char *wrapped, ulong length, void *template, ulong count, ulong *made) {
    if (gone() || told("lock")) return DEVICE_REMOVED;
    return ((rv (*)(ulong, void *, ulong, unsigned char *, ulong, void *, ulong, ulong *))real.entry[UNWRAP_KEY])(session, mechanism, key, wrapped, length, template, count, made);
}

rv C_GetFunctionList(struct functions **list) {
    void *module = dlopen(REAL, RTLD_NOW | RTLD_LOCAL);
    rv (*get)(struct functions **) = module ? (rv (*)(struct functions **))dlsym(module, "C_GetFunctionList") : 0;
    struct functions *found;
    if (!get || get(&found) != 0) return GENERAL_ERROR;
    real = front = *found;
    front.entry[OPEN_SESSION] = (void *)open_session;
    front.entry[LOGIN] = (void *)login;
    front.entry[FIND_OBJECTS_INIT] = (void *)find_objects_init;
    front.entry[SIGN_INIT] = (void *)sign_init;
    front.entry[SIGN] = (void *)sign;
    front.entry[UNWRAP_KEY] = (void *)unwrap_key;
    *list = &front;
    return 0;
}
