#include "model/clock_mark.hpp"

#include <charconv>

namespace dyad {

std::string encode_clock_mark(const ClockMark& mark) {
    std::string text = std::to_string(mark.proven_ms) + " " + std::to_string(mark.stood_ms) + " " +
                       std::to_string(mark.wall_ms);
    const auto add = [&](const ClockCorrection& one) {
        for (const std::int64_t number : {one.from_ms, one.to_ms, one.by_ms})
            text.append(" ").append(std::to_string(number));
    };
    add(mark.dated);
    for (const ClockCorrection& one : mark.corrections)
        add(one);
    return text;
}

Result<ClockMark> decode_clock_mark(std::string_view text) {
    std::vector<std::int64_t> numbers;
    for (const char* at = text.data(); at != text.data() + text.size();) {
        std::int64_t number = 0;
        const auto [end, error] = std::from_chars(at, text.data() + text.size(), number);
        const bool last = end == text.data() + text.size();
        if (error != std::errc() || (!last && *end != ' ')) break;
        numbers.push_back(number);
        at = last ? end : end + 1;
    }
    constexpr std::size_t kFirst = 6;  // before the corrections
    if (numbers.size() < kFirst || (numbers.size() - kFirst) % 3 != 0)
        return fail(Errc::storage_damaged, "the clock's mark cannot be read");
    ClockMark mark{.proven_ms = numbers[0],
                   .stood_ms = numbers[1],
                   .wall_ms = numbers[2],
                   .dated = {numbers[3], numbers[4], numbers[5]},
                   .corrections = {}};
    for (std::size_t i = kFirst; i < numbers.size(); i += 3)
        mark.corrections.push_back({numbers[i], numbers[i + 1], numbers[i + 2]});
    return mark;
}

}  // namespace dyad
