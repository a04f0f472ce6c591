#include "cli/path_expansion.hpp"

#include "cli/text.hpp"
#include "net/http.hpp"

#include <cstdlib>

#include <pwd.h>
#include <unistd.h>

namespace dyad::cli {
namespace {

bool is_name_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

// What a text is instead of a path; nothing where it may be one.
std::optional<Error> check_text(std::string_view text) {
    if (text.empty()) return fail(Errc::invalid_field, "is empty; write the path");
    if (has_control_character(text))
        return fail(Errc::invalid_field, "must not hold control characters");
    if (text.find("$(") != std::string_view::npos || text.find('`') != std::string_view::npos)
        return fail(Errc::invalid_field, "holds a command, which is not run; write the path");
    if (text.find('\\') != std::string_view::npos)
        return fail(Errc::invalid_field, "holds a backslash, which means nothing in a path here");
    if (text.starts_with("file:/")) {
        std::string_view path = text.substr(5);
        if (path.starts_with("//")) path.remove_prefix(std::min(path.find('/', 2), path.size()));
        return fail(Errc::invalid_field, "is an address and no path; write " +
                                             net::percent_decode(path).value_or(std::string(path)));
    }
    std::size_t scheme = 0;
    while (scheme < text.size() && is_name_character(text[scheme]))
        ++scheme;
    if (scheme > 0 && text.substr(scheme).starts_with("://"))
        return fail(Errc::invalid_field, "is an address; it must be a path of this machine");
    return std::nullopt;
}

class Expansion {
  public:
    Expansion(std::string_view text, const Surroundings& surroundings)
        : rest_(text), surroundings_(surroundings) {}

    Result<std::string> run() {
        if (rest_.starts_with('~')) TRY(take_home());
        while (!rest_.empty()) {
            const std::size_t plain = std::min(rest_.find('$'), rest_.size());
            out_.append(rest_.substr(0, plain));
            rest_.remove_prefix(plain);
            if (rest_.empty()) break;
            TRY(take_variable());
        }
        return std::move(out_);
    }

  private:
    Status take_home() {
        const std::size_t end = std::min(rest_.find('/'), rest_.size());
        const std::string user(rest_.substr(1, end - 1));
        std::optional<std::string> home;
        if (user.empty()) home = surroundings_.variable("HOME");
        if (!home || !home->starts_with('/')) home = surroundings_.home_of(user);
        if (!home)
            return fail(Errc::invalid_field, user.empty()
                                                 ? "needs a HOME, and there is none; write the "
                                                   "path from / on"
                                                 : "names the user \"" + user +
                                                       "\", whom this machine does not know; "
                                                       "write the path from / on");
        out_ = *std::move(home);
        rest_.remove_prefix(end);
        if (rest_.starts_with('/'))
            while (out_.ends_with('/'))
                out_.pop_back();
        return Done{};
    }

    // Where the brace that opens `rest_[1]` closes; braces may stand in braces.
    std::size_t closing_brace() const {
        int depth = 0;
        for (std::size_t i = 1; i < rest_.size(); ++i) {
            if (rest_[i] == '{') ++depth;
            if (rest_[i] == '}' && --depth == 0) return i;
        }
        return std::string_view::npos;
    }

    Status take_variable() {
        const bool braced = rest_.starts_with("${");
        const std::size_t begin = braced ? 2 : 1;
        std::size_t end = begin;
        while (end < rest_.size() && is_name_character(rest_[end]))
            ++end;
        const std::string name(rest_.substr(begin, end - begin));
        const std::size_t close = braced ? closing_brace() : end - 1;
        if (name.empty() || (name[0] >= '0' && name[0] <= '9') || close == std::string_view::npos)
            return not_understood();
        std::optional<std::string> value = surroundings_.variable(name);
        std::string_view otherwise = braced ? rest_.substr(end, close - end) : std::string_view();
        rest_.remove_prefix(close + 1);
        if (!otherwise.empty()) {
            if (!otherwise.starts_with(":-") && !otherwise.starts_with('-'))
                return not_understood();
            if (value && value->empty() && otherwise.front() == ':') value.reset();
            otherwise.remove_prefix(otherwise.front() == ':' ? 2 : 1);
            if (!value) {
                Result<std::string> expanded = Expansion(otherwise, surroundings_).run();
                if (!expanded) return expanded.error();
                value = *std::move(expanded);
            }
        }
        if (!value || value->empty())
            return fail(Errc::invalid_field,
                        "names the variable " + name + ", which is not set; write the path itself");
        out_.append(*value);
        return Done{};
    }

    static Error not_understood() {
        return fail(Errc::invalid_field,
                    "holds a \"$\" that is none of $NAME, ${NAME} and ${NAME:-PATH}; write the "
                    "path itself");
    }

    std::string_view rest_;
    const Surroundings& surroundings_;
    std::string out_;
};

std::optional<std::string> home_in_passwd(const std::string& user) {
    const passwd* const row = user.empty() ? getpwuid(getuid()) : getpwnam(user.c_str());
    if (row == nullptr || row->pw_dir == nullptr || row->pw_dir[0] != '/') return std::nullopt;
    return row->pw_dir;
}

}  // namespace

Result<std::string> expand_path(std::string_view text, const Surroundings& surroundings) {
    text = trimmed(text);
    if (std::optional<Error> wrong = check_text(text)) return *std::move(wrong);
    return Expansion(text, surroundings).run();
}

Surroundings system_surroundings() {
    return {[](const std::string& name) -> std::optional<std::string> {
                const char* const value = std::getenv(name.c_str());
                return value == nullptr ? std::nullopt : std::optional<std::string>(value);
            },
            home_in_passwd};
}

}  // namespace dyad::cli
