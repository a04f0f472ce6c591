#include "base/limits.hpp"
#include "cli/commands.hpp"
#include "cli/documents.hpp"
#include "cli/rest_client.hpp"
#include "cli/terminal.hpp"

namespace dyad::cli {
namespace {

Resolved settings_of(const Call& call) {
    return resolve(read_inputs(call.common().flags, call.common().env_file));
}

std::string value_of(const Resolved& resolved, const Setting& setting) {
    if (setting.row->name == "DYAD_DATA_DIR") return resolved.data_dir();
    if (setting.row->name == "DYAD_URL") return resolved.url();
    if (setting.row->name == "DISTRIBUTED_USER_ID") return resolved.user_id();
    return shown_setting(*setting.row, setting.value);
}

int show(const Call& call) {
    const Resolved resolved = settings_of(call);
    boost::json::object object;
    std::vector<std::vector<std::string>> rows;
    for (const Setting& setting : resolved.settings) {
        const std::string value = value_of(resolved, setting);
        object[setting.row->name] =
            boost::json::object{{"source", setting.source}, {"value", value}};
        rows.push_back({std::string(setting.row->name), value.empty() ? "-" : value,
                        setting.source});
    }
    if (call.json())
        print_json(object);
    else
        print(table({"NAME", "VALUE", "FROM"}, rows));
    if (resolved.problems.empty()) return 0;
    complain("There are problems: \"dyad-memory config check\" names them.");
    return static_cast<int>(resolved.has_fatal() ? Exit::usage : Exit::ok);
}

int check(const Call& call) {
    const Resolved resolved = settings_of(call);
    const int status = static_cast<int>(resolved.has_fatal() ? Exit::usage : Exit::ok);
    if (call.json()) {
        boost::json::array problems;
        for (const Problem& problem : resolved.problems)
            problems.push_back(boost::json::object{{"level", problem.fatal ? "error" : "warning"},
                                                   {"name", problem.name},
                                                   {"text", problem.text}});
        print_json(boost::json::object{{"ok", !resolved.has_fatal()}, {"problems", problems}});
        return status;
    }
    for (const Problem& problem : resolved.problems)
        print_line((problem.fatal ? paint(Colour::red, "error    ")
                                  : paint(Colour::amber, "warning  ")) +
                   printable(problem.text));
    if (resolved.problems.empty()) print_line("The settings are good.");
    return status;
}

int list(const Call& call) {
    if (call.has("--markdown")) {
        print(settings_markdown());
        return 0;
    }
    if (call.json()) {
        boost::json::array settings;
        for (const SettingRow& row : settings_table())
            settings.push_back(boost::json::object{{"default", row.fallback},
                                                   {"flag", row.flag},
                                                   {"meaning", row.meaning},
                                                   {"name", row.name},
                                                   {"values", value_label(row)}});
        print_json(settings);
        return 0;
    }
    for (const SettingRow& row : settings_table()) {
        print_line(paint(Colour::bold, row.name) + "  " + value_label(row) +
                   (row.flag.empty() ? "" : "  " + paint(Colour::dim, row.flag)) +
                   (row.fallback.empty() ? "" : "  default " + std::string(row.fallback)));
        print_line("    " + std::string(row.meaning));
    }
    return 0;
}

int limits_list(const Call& call) {
    if (call.has("--markdown")) {
        print(limits_markdown());
    } else if (call.json()) {
        boost::json::object object;
        for (const limits::Row& row : limits::kTable)
            object[row.name] = row.value;
        print_json(object);
    } else {
        std::vector<std::vector<std::string>> rows;
        for (const limits::Row& row : limits::kTable)
            rows.push_back({std::string(row.name), std::to_string(row.value),
                            std::string(row.unit), std::string(row.meaning)});
        print(table({"NAME", "VALUE", "UNIT", "MEANING"}, rows));
    }
    return 0;
}

int errors_list(const Call& call) {
    if (call.has("--markdown")) {
        print(errors_markdown());
        return 0;
    }
    boost::json::object object;
    std::vector<std::vector<std::string>> rows;
    for (std::size_t i = 0; i < kErrcCount; ++i) {
        const ErrorRow& row = error_row(static_cast<Errc>(i));
        object[row.name] = boost::json::object{{"closeCode", row.close_code},
                                               {"httpStatus", row.http_status},
                                               {"message", row.message},
                                               {"retry", row.retry}};
        rows.push_back({std::string(row.name), std::to_string(row.http_status),
                        std::to_string(row.close_code), row.retry ? "yes" : "no",
                        std::string(row.message)});
    }
    if (call.json())
        print_json(object);
    else
        print(table({"NAME", "HTTP", "CLOSE", "RETRY", "MEANING"}, rows));
    return 0;
}

Command part(std::string name, std::string summary, int (*run)(const Call&), bool document) {
    Command command;
    command.name = std::move(name);
    command.summary = std::move(summary);
    command.talks = false;
    command.run = run;
    if (document) command.options = {toggle("--markdown", "as the document in docs/")};
    return command;
}

}  // namespace

Command config_command() {
    Command command;
    command.name = "config";
    command.summary = "Settings, limits and errors: show, check, list, limits, errors.";
    command.commands = {
        part("show", "Prints each setting and where its value comes from.", show, false),
        part("check", "Reports everything that is wrong with the settings, at once.", check, false),
        part("list", "Describes every setting.", list, true),
        part("limits", "Lists the fixed limits.", limits_list, true),
        part("errors", "Lists the errors.", errors_list, true)};
    return command;
}

}  // namespace dyad::cli
