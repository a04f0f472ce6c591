#include "base/bytes.hpp"
#include "base/clock.hpp"
#include "base/metrics.hpp"
#include "base/result.hpp"
#include "base/sha256.hpp"
#include "base/text.hpp"

#include <atomic>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <openssl/evp.h>

namespace dyad {

TEST(Hex, RoundTripsAndRejectsOtherText) {
    const std::array<std::uint8_t, 3> bytes{0x00, 0xab, 0xff};
    EXPECT_EQ(to_hex(bytes), "00abff");
    std::array<std::uint8_t, 3> back{};
    EXPECT_TRUE(read_hex("00ABff", back));
    EXPECT_EQ(back, bytes);
    EXPECT_FALSE(read_hex("00abf", back));
    EXPECT_FALSE(read_hex("00abfg", back));
}

TEST(Base64, MatchesRfc4648Vectors) {
    EXPECT_EQ(to_base64(as_bytes("")), "");
    EXPECT_EQ(to_base64(as_bytes("f")), "Zg==");
    EXPECT_EQ(to_base64(as_bytes("fo")), "Zm8=");
    EXPECT_EQ(to_base64(as_bytes("foobar")), "Zm9vYmFy");
}

TEST(Sha256, MatchesFips180VectorOverAnySplit) {
    const char* expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    EXPECT_EQ(to_hex(sha256({"abc"})), expected);
    EXPECT_EQ(to_hex(sha256({"a", "", "bc"})), expected);
}

TEST(Sha256, AuthenticatesAsRfc4231Says) {
    EXPECT_EQ(to_hex(hmac_sha256("Jefe", {"what do ya want ", "for nothing?"})),
              "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    const std::string longer_than_a_block(131, '\xaa');
    EXPECT_EQ(to_hex(hmac_sha256(longer_than_a_block,
                                 {"Test Using Larger Than Block-Size Key - Hash Key First"})),
              "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    EXPECT_TRUE(same_secretly("ab", "ab"));
    EXPECT_FALSE(same_secretly("ab", "ac") || same_secretly("ab", "abc"));
}

TEST(Sha256, HashesEveryLengthAsOpenSslDoes) {
    std::string text;
    for (int size = 0; size < 300; ++size, text += static_cast<char>(7 * size)) {
        Hash expected;
        ASSERT_EQ(
            EVP_Digest(text.data(), text.size(), expected.data(), nullptr, EVP_sha256(), nullptr),
            1);
        EXPECT_EQ(sha256({text}), expected) << size;
        const std::string_view view = text;
        EXPECT_EQ(sha256({view.substr(0, text.size() / 3), view.substr(text.size() / 3)}),
                  expected);
    }
}

TEST(Sha256, IsEachThreadsOwn) {
    std::vector<std::thread> threads;
    std::atomic<int> wrong = 0;
    const std::string text(200, 'a');
    const Hash expected = sha256({text});
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&] {
            for (int turn = 0; turn < 500; ++turn)
                wrong += sha256({text}) != expected;
        });
    }
    for (std::thread& thread : threads)
        thread.join();
    EXPECT_EQ(wrong, 0);
}

TEST(Result, CarriesTheErrorItsDetailAndItsPlace) {
    const Result<int> good = 3;
    EXPECT_EQ(*good, 3);
    const Result<int> bad = fail(Errc::not_found, "context a");
    ASSERT_FALSE(bad);
    EXPECT_EQ(bad.error().to_string(), "not_found: context a");
    EXPECT_EQ(error_by_name("not_found"), Errc::not_found);
    EXPECT_EQ(error_row(Errc::not_found).http_status, 404);
}

TEST(Random, BelowStaysInRangeAndUuidsAreVersion4) {
    SystemRandom random;
    for (int i = 0; i < 1000; ++i)
        EXPECT_LT(random.below(7), 7u);
    const std::string id = random.uuid4();
    ASSERT_EQ(id.size(), 36u);
    EXPECT_EQ(id[14], '4');
    EXPECT_NE(id, random.uuid4());
}

TEST(Metrics, AHistogramCountsWhatIsNotLongerThanEachBound) {
    static metrics::Histogram histogram("test_seconds", "Of this test.");
    for (const std::int64_t us : {-5, 100, 101, 60'000'000})
        histogram.observe_us(us);
    const std::string text = metrics::render();
    const auto has = [&](const char* line) { return text.find(line) != std::string::npos; };
    EXPECT_TRUE(has("# TYPE test_seconds histogram\n"));
    EXPECT_TRUE(has("test_seconds_bucket{le=\"0.0001\"} 2\n"));
    EXPECT_TRUE(has("test_seconds_bucket{le=\"0.00025\"} 3\n"));
    EXPECT_TRUE(has("test_seconds_bucket{le=\"10\"} 3\n"));
    EXPECT_TRUE(has("test_seconds_bucket{le=\"+Inf\"} 4\n"));
    EXPECT_TRUE(has("test_seconds_sum 60.000201\n"));
    EXPECT_TRUE(has("test_seconds_count 4\n"));
}

TEST(Text, IsTrimmedLoweredAndCounted) {
    EXPECT_EQ(trimmed(" \ta b\t"), "a b");
    EXPECT_EQ(trimmed("\na\n"), "\na\n");
    EXPECT_EQ(trimmed("\na\n", " \n"), "a");
    EXPECT_EQ(trimmed(" \t "), "");
    EXPECT_EQ(to_lower("Host: A-Z \xc3\x84"), "host: a-z \xc3\x84");
    EXPECT_EQ(counted(1, "event") + ", " + counted(0, "user"), "1 event, 0 users");
}

}  // namespace dyad
