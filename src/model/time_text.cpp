#include "model/time_text.hpp"

#include <chrono>

namespace dyad {
namespace {

// Takes exactly `count` digits off the front of `in`.
bool take_digits(std::string_view& in, std::size_t count, int& out) {
    if (in.size() < count) return false;
    out = 0;
    for (const char c : in.substr(0, count)) {
        if (c < '0' || c > '9') return false;
        out = out * 10 + (c - '0');
    }
    in.remove_prefix(count);
    return true;
}

bool take_one_of(std::string_view& in, std::string_view characters) {
    if (in.empty() || characters.find(in.front()) == std::string_view::npos) return false;
    in.remove_prefix(1);
    return true;
}

bool take_fraction(std::string_view& in, int& milliseconds) {
    milliseconds = 0;
    if (!take_one_of(in, ".")) return true;
    int weight = 100;
    int digit = 0;
    bool any = false;
    for (; take_digits(in, 1, digit); any = true, weight /= 10)
        milliseconds += digit * weight;
    return any;
}

bool take_offset(std::string_view& in, int& minutes) {
    minutes = 0;
    if (take_one_of(in, "Zz")) return true;
    const bool west = in.starts_with('-');
    int hours = 0;
    if (!take_one_of(in, "+-") || !take_digits(in, 2, hours) || !take_one_of(in, ":") ||
        !take_digits(in, 2, minutes) || hours > 23 || minutes > 59)
        return false;
    minutes = (west ? -1 : 1) * (hours * 60 + minutes);
    return true;
}

}  // namespace

std::optional<std::int64_t> read_time(std::string_view in) {
    namespace chrono = std::chrono;
    int year = 0;
    int month = 0;
    int day = 0;
    int hour = 0;
    int minute = 0;
    int second = 0;
    int milliseconds = 0;
    int offset = 0;
    if (!take_digits(in, 4, year) || !take_one_of(in, "-") || !take_digits(in, 2, month) ||
        !take_one_of(in, "-") || !take_digits(in, 2, day) || !take_one_of(in, "Tt ") ||
        !take_digits(in, 2, hour) || !take_one_of(in, ":") || !take_digits(in, 2, minute) ||
        !take_one_of(in, ":") || !take_digits(in, 2, second) || !take_fraction(in, milliseconds) ||
        !take_offset(in, offset) || !in.empty())
        return std::nullopt;
    const chrono::year_month_day date{chrono::year(year), chrono::month(month), chrono::day(day)};
    if (!date.ok() || hour > 23 || minute > 59 || second > 60) return std::nullopt;
    const auto minutes = chrono::sys_days(date).time_since_epoch() + chrono::hours(hour) +
                         chrono::minutes(minute - offset);
    // A leap second ends a month, in UTC (RFC 3339 section 5.7).
    const auto next = chrono::sys_time<chrono::minutes>(minutes + chrono::minutes(1));
    const auto next_day = chrono::floor<chrono::days>(next);
    if (second == 60 &&
        (next != next_day || chrono::year_month_day(next_day).day() != chrono::day(1)))
        return std::nullopt;
    return chrono::milliseconds(minutes).count() + second * 1000 + milliseconds;
}

std::string write_time(std::int64_t ms) {
    namespace chrono = std::chrono;
    const chrono::sys_time<chrono::milliseconds> moment{chrono::milliseconds(ms)};
    const auto day = chrono::floor<chrono::days>(moment);
    const chrono::year_month_day date(day);
    const chrono::hh_mm_ss time(moment - day);
    std::string out = "0000-00-00T00:00:00.000Z";
    const auto put = [&out](std::size_t end, std::int64_t number) {
        for (; number > 0; number /= 10)
            out[--end] = static_cast<char>('0' + number % 10);
    };
    put(4, static_cast<int>(date.year()) % 10'000);
    put(7, static_cast<unsigned>(date.month()));
    put(10, static_cast<unsigned>(date.day()));
    put(13, time.hours().count());
    put(16, time.minutes().count());
    put(19, time.seconds().count());
    put(23, time.subseconds().count());
    return out;
}

}  // namespace dyad
