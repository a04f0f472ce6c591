#include "ops/doctor.hpp"

#include "cli/commands.hpp"
#include "cli/rest_client.hpp"
#include "cli/terminal.hpp"
#include "server/version.hpp"

#include <algorithm>

namespace dyad::cli {
namespace {

using ops::Check;
using ops::Verdict;

bool concerns_databases(std::string_view name) {
    return name.find("MONGODB") != std::string_view::npos ||
           name.find("REDIS") != std::string_view::npos || name == "ENABLE_DISTRIBUTED_MEMORY";
}

std::vector<Check> check_settings(const Resolved& resolved, const Inputs& inputs) {
    std::vector<Check> checks;
    std::string files;
    for (const auto* file : {&inputs.env_file, &inputs.config_file})
        if (*file) files.append(files.empty() ? "" : ", ").append((*file)->path);
    if (files.empty())
        checks.push_back({"settings-file", Verdict::ok,
                          "There is no file of settings: environment and defaults count.", ""});
    else
        checks.push_back({"settings-file", Verdict::ok, "Settings are read from " + files + ".", ""});
    for (const Problem& problem : resolved.problems)
        checks.push_back({"settings", problem.fatal ? Verdict::fail : Verdict::warn, problem.text,
                          problem.fatal ? "Correct it; \"dyad-memory config show\" says where each "
                                          "value comes from."
                                        : ""});
    const bool databases = std::any_of(
        resolved.problems.begin(), resolved.problems.end(),
        [](const Problem& problem) { return concerns_databases(problem.name); });
    if (!databases)
        checks.push_back({"databases", Verdict::ok,
                          "The embedded store is used; MongoDB and Redis are off, their URLs well "
                          "formed.",
                          ""});
    for (const char* name :
         {"ENABLE_WEBSOCKET", "ENABLE_REAL_TIME_EVENTS", "ENABLE_GLASS_BOX_TRACKING"})
        if (!resolved.boolean(name))
            checks.push_back({"switches", Verdict::warn, std::string(name) + " is off (" +
                                                             resolved.at(name).source + ").",
                              "If that is not meant: set it to true and restart the server."});
    return checks;
}

void print_check(const Check& check) {
    const auto [mark, colour] = check.verdict == Verdict::ok
                                    ? std::pair{"✓ ", Colour::green}
                                : check.verdict == Verdict::warn ? std::pair{"! ", Colour::amber}
                                                                 : std::pair{"✗ ", Colour::red};
    print_line(paint(colour, mark) + printable(check.found));
    if (!check.advice.empty()) print_line("    → " + printable(check.advice));
    flush_output();
}

const char* name_of(Verdict verdict) {
    return verdict == Verdict::ok ? "ok" : verdict == Verdict::warn ? "warn" : "fail";
}

int doctor(const Call& call) {
    const Inputs inputs = read_inputs(call.common().flags, call.common().env_file);
    const Resolved resolved = resolve(inputs);
    std::vector<Check> checks = check_settings(resolved, inputs);
    const Result<net::Url> url = net::Url::parse(resolved.url());
    ops::DoctorSubject subject;
    if (url) {
        subject.url = *url;
        subject.on_this_machine = is_loopback(url->host);
    }
    const std::int64_t port = resolved.integer("WS_SYNC_PORT");
    if (port > 0 && port <= 65535) subject.port = static_cast<std::uint16_t>(port);
    if (subject.on_this_machine && url) subject.port = url->port;
    subject.data_dir = resolved.data_dir();
    subject.version = server::kVersion;
    subject.timeout_ms = std::min<std::int64_t>(call.common().timeout_s * 1000, 10'000);
    const auto take = [&](std::vector<Check> more) {
        for (Check& check : more)
            checks.push_back(std::move(check));
    };
    std::size_t shown = 0;
    const auto show = [&] {
        for (; !call.json() && shown < checks.size(); ++shown)
            print_check(checks[shown]);
    };
    show();
    if (subject.on_this_machine) take(check_machine(subject));
    show();
    if (url) take(check_server(subject));
    show();

    const auto count = [&](Verdict verdict) {
        return std::count_if(checks.begin(), checks.end(),
                             [&](const Check& check) { return check.verdict == verdict; });
    };
    if (call.json()) {
        boost::json::array list;
        for (const Check& check : checks)
            list.push_back(boost::json::object{{"advice", check.advice},
                                               {"check", check.id},
                                               {"found", check.found},
                                               {"verdict", name_of(check.verdict)}});
        print_json(boost::json::object{{"checks", list}, {"ok", count(Verdict::fail) == 0}});
    } else {
        print_line("\n" + std::to_string(count(Verdict::ok)) + " good, " +
                   std::to_string(count(Verdict::warn)) + " to look at, " +
                   std::to_string(count(Verdict::fail)) + " wrong");
    }
    return static_cast<int>(count(Verdict::fail) == 0 ? Exit::ok : Exit::failed);
}

}  // namespace

Command doctor_command() {
    Command command;
    command.name = "doctor";
    command.summary = "Checks the settings, this machine and the server, and says what to do.";
    command.details =
        "Writes and reads a context, and switches a mode, in the memory of a user of its own, "
        "doctor-<uuid>. Status 1 where something is wrong.";
    command.options = {text_option("--data-dir", "FOLDER", "the server's, instead of the settings'")};
    command.options[0].setting = "DYAD_DATA_DIR";
    command.run = doctor;
    return command;
}

}  // namespace dyad::cli
