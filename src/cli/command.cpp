#include "cli/command.hpp"

#include "base/check.hpp"
#include "base/limits.hpp"

#include <algorithm>
#include <charconv>

namespace dyad::cli {

Option argument(std::string name, std::string help) {
    Option option{std::move(name), "", std::move(help)};
    option.required = true;
    return option;
}

Option optional_argument(std::string name, std::string help) {
    return {std::move(name), "", std::move(help)};
}

Option toggle(std::string name, std::string help) {
    return {std::move(name), "", std::move(help)};
}

Option text_option(std::string name, std::string value, std::string help) {
    return {std::move(name), std::move(value), std::move(help)};
}

Option list_option(std::string name, std::string value, std::string help) {
    Option option{std::move(name), std::move(value), std::move(help)};
    option.repeated = true;
    return option;
}

Option number_option(std::string name, std::int64_t min, std::int64_t max, std::string help) {
    Option option{std::move(name), "N", std::move(help)};
    option.number = true;
    option.min = min;
    option.max = max;
    return option;
}

Option choice_option(std::string name, std::vector<std::string> choices, std::string help) {
    std::string value;
    for (const std::string& choice : choices)
        value.append(value.empty() ? "" : "|").append(choice);
    Option option{std::move(name), std::move(value), std::move(help)};
    option.choices = std::move(choices);
    return option;
}

const std::vector<std::string>& Call::all(std::string_view option) const {
    static const std::vector<std::string> kNone;
    CHECK(std::any_of(command_->options.begin(), command_->options.end(),
                      [&](const Option& known) { return known.name == option; }));
    const auto found = values_.find(option);
    return found != values_.end() ? found->second : kNone;
}

std::string Call::text(std::string_view option, std::string_view fallback) const {
    const auto& given = all(option);
    return given.empty() ? std::string(fallback) : given.back();
}

std::optional<std::int64_t> Call::number(std::string_view option) const {
    const auto& given = all(option);
    if (given.empty()) return std::nullopt;
    std::int64_t number = 0;  // checked when it was parsed
    std::from_chars(given.back().data(), given.back().data() + given.back().size(), number);
    return number;
}

const std::vector<Option>& common_options() {
    static const std::vector<Option> kOptions = [] {
        std::vector<Option> options;
        options.push_back(toggle("--json", "JSON on standard output, and for errors"));
        options.push_back(
            text_option("--env-file", "FILE", "read settings from FILE instead of ./.env"));
        return options;
    }();
    return kOptions;
}

const std::vector<Option>& server_options() {
    static const std::vector<Option> kOptions = [] {
        std::vector<Option> options;
        options.push_back(text_option("--url", "URL", "the server; by default DYAD_URL, or this "
                                                      "machine's at WS_SYNC_PORT"));
        options.back().setting = "DYAD_URL";
        options.push_back(text_option(
            "--user", "USER", "whose memory; by default DISTRIBUTED_USER_ID, or the server's"));
        options.back().setting = "DISTRIBUTED_USER_ID";
        options.push_back(
            text_option("--instance", "ID", "in whose name; by default cli-<host>-<user>"));
        options.push_back(number_option("--timeout", 1, 86400,
                                        "seconds until it gives up, retries included (30)"));
        return options;
    }();
    return kOptions;
}

}  // namespace dyad::cli
