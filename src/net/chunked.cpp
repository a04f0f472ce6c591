#include "net/chunked.hpp"

#include "base/limits.hpp"
#include "net/http_fields.hpp"

#include <algorithm>
#include <charconv>

namespace dyad::net {
namespace {

constexpr std::size_t kDigitsMax = 16;  // all that fit into 64 bits
constexpr auto kExtraMax = static_cast<std::size_t>(limits::http_header_bytes_max);

Error malformed() {
    return fail(Errc::invalid_request, "body: the chunked coding is malformed");
}

// A wrong size shows before its line ends.
bool may_become_size(std::string_view line) noexcept {
    return line.find_first_not_of("0123456789abcdefABCDEF") >= line.find_first_of(";\r");
}

}  // namespace

Status ChunkedReader::take_size(std::string_view line) {
    const std::string_view digits = line.substr(0, line.find(';'));
    const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), size_, 16);
    if (digits.empty() || digits.size() > kDigitsMax || read.ptr != digits.data() + digits.size() ||
        has_control(line))
        return malformed();
    extra_bytes_ += line.size() - digits.size();
    if (size_ > data_left_) return fail(Errc::too_large, "body: it is larger than the limit");
    data_left_ -= size_;
    at_ = size_ == 0 ? At::trailer : At::data;
    return Done{};
}

Status ChunkedReader::take_line(std::string_view line) {
    if (at_ == At::size) return take_size(line);
    if (at_ == At::data_end) {
        at_ = At::size;
        return line.empty() ? Status(Done{}) : malformed();
    }
    extra_bytes_ += line.size();
    if (line.empty()) at_ = At::done;
    if (!line.empty() && !read_field(line))
        return fail(Errc::invalid_request, "body: a trailer is malformed");
    return Done{};
}

Result<bool> ChunkedReader::feed(std::string_view& bytes, std::string& out) {
    while (!bytes.empty() && at_ != At::done) {
        if (at_ == At::data) {
            const std::size_t take = std::min<std::uint64_t>(size_, bytes.size());
            out.append(bytes.data(), take);
            bytes.remove_prefix(take);
            size_ -= take;
            if (size_ == 0) at_ = At::data_end;
            continue;
        }
        const std::size_t take = std::min(bytes.find('\n'), bytes.size() - 1) + 1;
        line_.append(bytes.substr(0, take));
        bytes.remove_prefix(take);
        const bool whole = line_.ends_with('\n');
        if (whole) {
            if (!line_.ends_with("\r\n")) return malformed();
            line_.resize(line_.size() - 2);
            TRY(take_line(line_));
            line_.clear();
        } else if (at_ == At::size ? !may_become_size(line_)
                                   : at_ == At::data_end && line_ != "\r") {
            return malformed();
        }
        if (extra_bytes_ + line_.size() - std::min(line_.size(), kDigitsMax) > kExtraMax)
            return fail(Errc::header_too_large, "body: chunk extensions and trailers may have " +
                                                    std::to_string(kExtraMax) + " bytes together");
    }
    return at_ == At::done;
}

}  // namespace dyad::net
