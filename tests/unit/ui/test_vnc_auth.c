#include "vnc_auth.h"

#include <string.h>

#include "check_main.h"

/* ---- answers ---- */

/* Keys of published examples of DES, each byte the other way round. */
static const struct { const char *password; uint8_t block[8], answer[8]; } answers[] = {
    { "\xc8\x2c\xea\x9e\xd9\x3d\xfb\x8f", { 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef },
      { 0x85, 0xe8, 0x13, 0x54, 0x0f, 0x0a, 0xb4, 0x05 } },
    { "", { 0 }, { 0x8c, 0xa6, 0x4d, 0xe9, 0xc1, 0xb1, 0x23, 0xa7 } },     /* a weak key */
    { "\xc8\x2c\xea\x9e\xd9\x3d\xfb\x8f and more", { 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef },
      { 0x85, 0xe8, 0x13, 0x54, 0x0f, 0x0a, 0xb4, 0x05 } },
};

START_TEST(answer_row)
{
    uint8_t challenge[16], response[16];

    memcpy(challenge, answers[_i].block, 8);
    memcpy(challenge + 8, answers[_i].block, 8);
    vnc_auth_response(answers[_i].password, challenge, response);
    ck_assert_mem_eq(response, answers[_i].answer, 8);
    ck_assert_mem_eq(response + 8, answers[_i].answer, 8);
}
END_TEST

static bool try_password(VncAuth *auth, const char *host, const char *password)
{
    static const uint8_t challenge[16] = "0123456789abcde";
    uint8_t response[16];

    vnc_auth_response(password, challenge, response);
    return vnc_auth_check(auth, host, "1", challenge, response);
}

static const struct {
    const char *set;                        /* NULL: none */
    int64_t expires;                        /* seconds from now; 0: never */
    const char *typed;
    bool right;
} passwords[] = {
    { NULL, 0, "" , false }, { NULL, 0, "x", false }, { "", 0, "", true }, { "", 0, "x", false },
    { "hush", 0, "hush", true }, { "hush", 0, "hus", false }, { "hush", 0, "hushh", false },
    { "12345678", 0, "123456789", true }, { "123456789", 0, "12345678", true },
    { "hush", -1, "hush", false }, { "hush", 100, "hush", true }, { "hush", -1, "x", false },
};

START_TEST(password_row)
{
    int64_t now = g_get_real_time() / G_USEC_PER_SEC;
    VncAuth *auth = vnc_auth_new("test");

    vnc_auth_set_password(auth, passwords[_i].set);
    if (passwords[_i].expires != 0) {
        vnc_auth_expire(auth, now + passwords[_i].expires);
    }
    ck_assert_int_eq(try_password(auth, "host", passwords[_i].typed), passwords[_i].right);
    vnc_auth_unref(auth);
}
END_TEST

START_TEST(an_echo_is_no_answer)
{
    static const uint8_t challenge[16] = "0123456789abcde";
    VncAuth *auth = vnc_auth_new("test");

    vnc_auth_set_password(auth, "");
    ck_assert(!vnc_auth_check(auth, "host", "1", challenge, challenge));
    vnc_auth_unref(auth);
}
END_TEST

/* ---- guessers ---- */

static gint64 seconds_of(VncAuth *auth, const char *host, const char *password, bool right)
{
    gint64 began = g_get_monotonic_time();

    ck_assert_int_eq(try_password(auth, host, password), right);
    return g_get_monotonic_time() - began;
}

START_TEST(guesses_take_longer_and_longer)
{
    VncAuth *auth = vnc_auth_new("test");

    vnc_auth_set_password(auth, "hush");
    ck_assert_int_lt(seconds_of(auth, "a", "1", false), G_USEC_PER_SEC / 5);
    ck_assert_int_gt(seconds_of(auth, "a", "2", false), G_USEC_PER_SEC / 5);
    ck_assert_int_gt(seconds_of(auth, "a", "3", false), G_USEC_PER_SEC / 5 * 2);
    ck_assert_int_lt(seconds_of(auth, "b", "hush", true), G_USEC_PER_SEC / 5);
    ck_assert_int_gt(seconds_of(auth, "a", "hush", true), G_USEC_PER_SEC / 5 * 4);
    ck_assert_int_lt(seconds_of(auth, "a", "hush", true), G_USEC_PER_SEC / 5);    /* forgotten */
    vnc_auth_unref(auth);
}
END_TEST

/* Everybody has 2^64 addresses of IPv6. */
START_TEST(a_network_is_one_guesser)
{
    VncAuth *auth = vnc_auth_new("test");

    vnc_auth_set_password(auth, "hush");
    ck_assert(!try_password(auth, "2001:db8::1", "x"));
    ck_assert_int_gt(seconds_of(auth, "2001:db8::2", "hush", true), G_USEC_PER_SEC / 5);
    ck_assert(!try_password(auth, "2001:db8::1", "x"));
    ck_assert_int_lt(seconds_of(auth, "2001:db8:0:1::1", "hush", true), G_USEC_PER_SEC / 5);
    vnc_auth_unref(auth);
}
END_TEST

/* More addresses than there are rows: the oldest is forgotten. */
START_TEST(what_is_remembered_is_bounded)
{
    VncAuth *auth = vnc_auth_new("test");

    vnc_auth_set_password(auth, "hush");
    for (unsigned i = 0; i < 70; i++) {
        g_autofree char *host = g_strdup_printf("host%u", i);

        ck_assert(!try_password(auth, host, "x"));
    }
    ck_assert_int_lt(seconds_of(auth, "host0", "hush", true), G_USEC_PER_SEC / 5);
    vnc_auth_unref(auth);
}
END_TEST

typedef struct Guess { VncAuth *auth; bool right; } Guess;

static gpointer guess_thread(gpointer opaque)
{
    Guess *guess = opaque;

    guess->right = try_password(guess->auth, "a", "hush");
    return NULL;
}

/* Closing ends all waits; of many answers at once few wait at all. */
START_TEST(nobody_waits_when_it_closes)
{
    enum { MANY = 8 };
    Guess guesses[MANY];
    GThread *threads[MANY];
    VncAuth *auth = vnc_auth_new("test");
    gint64 began = g_get_monotonic_time();

    vnc_auth_set_password(auth, "hush");
    for (unsigned i = 0; i < 4; i++) {
        try_password(auth, "a", "x");       /* two seconds for the next one */
    }
    for (unsigned i = 0; i < MANY; i++) {
        guesses[i] = (Guess){ vnc_auth_ref(auth), true };
        threads[i] = g_thread_new("guess", guess_thread, &guesses[i]);
    }
    vnc_auth_close(auth);
    for (unsigned i = 0; i < MANY; i++) {
        g_thread_join(threads[i]);
        ck_assert(!guesses[i].right);
        vnc_auth_unref(auth);
    }
    ck_assert_int_lt(g_get_monotonic_time() - began, 3 * G_USEC_PER_SEC);
    ck_assert(!try_password(auth, "b", "hush"));
    vnc_auth_unref(auth);
}
END_TEST

CHECK_MAIN("vnc_auth", CASES(answer_row, answers), CASES(password_row, passwords),
           CASE(an_echo_is_no_answer), CASE(guesses_take_longer_and_longer),
           CASE(a_network_is_one_guesser), CASE(what_is_remembered_is_bounded), CASE(nobody_waits_when_it_closes))
