#include "base/bytes.hpp"

#include <algorithm>
#include <charconv>

#include <openssl/evp.h>

namespace dyad {
namespace {

constexpr char kDigits[] = "0123456789abcdef";

int digit_value(char c) noexcept {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

}  // namespace

void write_hex(std::span<const std::uint8_t> bytes, char* out) noexcept {
    for (std::uint8_t b : bytes) {
        *out++ = kDigits[b >> 4];
        *out++ = kDigits[b & 15];
    }
}

std::string to_hex(std::span<const std::uint8_t> bytes) {
    std::string text(bytes.size() * 2, '\0');
    write_hex(bytes, text.data());
    return text;
}

bool read_hex(std::string_view text, std::span<std::uint8_t> out) noexcept {
    if (text.size() != out.size() * 2) return false;
    for (std::size_t i = 0; i < out.size(); ++i) {
        const int high = digit_value(text[2 * i]);
        const int low = digit_value(text[2 * i + 1]);
        if (high < 0 || low < 0) return false;
        out[i] = static_cast<std::uint8_t>(high * 16 + low);
    }
    return true;
}

std::optional<std::uint64_t> read_number(std::string_view text) noexcept {
    std::uint64_t number = 0;
    const char* const end = text.data() + text.size();
    const auto read = std::from_chars(text.data(), end, number);
    if (read.ec != std::errc() || read.ptr != end || (text.size() > 1 && text[0] == '0'))
        return std::nullopt;
    return number;
}

std::string to_base64(std::span<const std::uint8_t> bytes) {
    std::string text((bytes.size() + 2) / 3 * 4, '\0');  // a zero behind it is written, too
    EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()), bytes.data(),
                    static_cast<int>(bytes.size()));
    return text;
}

std::string shown(std::string_view text) {
    std::size_t size = std::min<std::size_t>(text.size(), 64);
    while (size < text.size() && (static_cast<unsigned char>(text[size]) & 0xc0) == 0x80)
        --size;
    std::string out(text.substr(0, size));
    for (char& c : out)
        if (static_cast<unsigned char>(c) < 0x20) c = '?';
    return out;
}

}  // namespace dyad
