// `dyad-memory doctor`.
#include "auth/authority.hpp"
#include "cli/commands.hpp"
#include "cli/doctor_server.hpp"
#include "cli/terminal.hpp"
#include "net/socket.hpp"

#include <algorithm>

#include <unistd.h>

namespace dyad::cli {
namespace {

using ops::Finding;
using ops::Verdict;

std::string_view verdict_name(Verdict verdict) {
    switch (verdict) {
        case Verdict::ok:
            return "ok";
        case Verdict::note:
            return "note";
        case Verdict::warn:
            return "warn";
        case Verdict::fail:
            return "fail";
        case Verdict::skipped:
            return "skipped";
    }
    return "";
}

void append(std::vector<Finding>& out, std::vector<Finding> more) {
    for (Finding& finding : more)
        out.push_back(std::move(finding));
}

void check_settings(const Inputs& inputs, const Resolved& settings, std::vector<Finding>& out) {
    std::string files;
    for (const auto* file : {&inputs.env_file, &inputs.config_file})
        if (*file) files.append(files.empty() ? "" : " and ").append((*file)->path);
    out.push_back({Verdict::ok, "Settings file",
                   files.empty() ? "none; environment and defaults count" : "read " + files, ""});
    for (const Problem& problem : settings.problems)
        out.push_back({problem.fatal ? Verdict::fail : Verdict::warn, "Settings", problem.text,
                       problem.fatal ? "correct it, then: dyad-memory config check" : ""});
    if (!settings.has_fatal())
        out.push_back({Verdict::ok, "Settings",
                       "all values are good, MongoDB's and Redis's URLs "
                       "included (not used in this version)",
                       ""});
    out.push_back(
        {Verdict::ok, "User",
         "\"" + settings.user_id() + "\"" +
             (settings.at("DISTRIBUTED_USER_ID").given ? ""
                                                       : ", since DISTRIBUTED_USER_ID is not set"),
         ""});
}

// Where nothing answers at the server's address: whether one could be started there.
void check_without_server(const Resolved& settings, const Url& url,
                          const ops::OnProgress& on_progress, std::vector<Finding>& out) {
    const bool meant = settings.at("DYAD_URL").given;
    const std::string holder = net::port_holder(url.port).text;
    if (holder.empty() || meant)
        out.push_back({meant ? Verdict::fail : Verdict::note, "Server",
                       "nothing answers at " + url.text(),
                       meant ? "start it there, or correct --url or DYAD_URL"
                             : "start it: dyad-memory serve"});
    else
        out.push_back(
            {Verdict::fail, "Server",
             "nothing answers, but port " + std::to_string(url.port) + " is held by " + holder,
             "stop it, or choose another port with WS_SYNC_PORT or --port"});
    append(out, ops::check_store(settings.data_dir(), on_progress));
}

void check_all(const CommonOptions& common, const DoctorCommand& command,
               const ops::OnProgress& on_progress, std::vector<Finding>& findings) {
    const Inputs inputs = read_inputs(common.flags, common.env_file);
    const Resolved settings = resolve(inputs);
    check_settings(inputs, settings, findings);
    append(findings, ops::check_folder(settings.data_dir()));
    const bool usable = findings.back().verdict != Verdict::fail;
    const Result<Url> url = Url::parse(settings.url());
    if (!url) return;
    std::optional<std::string> user;
    if (settings.at("DISTRIBUTED_USER_ID").given) user = settings.user_id();
    RestClient client(*url, user, default_instance(), common.timeout_s * 1000);
    if (!try_connect(*url, 2000)) {
        if (usable) check_without_server(settings, *url, on_progress, findings);
        return;
    }
    append(findings, check_server(client, on_progress));
    const bool ours = std::any_of(findings.begin(), findings.end(), [](const Finding& finding) {
        return finding.check == "Ready";  // it comes only from a server of ours
    });
    if (!ours && usable) append(findings, ops::check_store(settings.data_dir(), on_progress));
    if (ours && command.write_test) append(findings, test_writing(client));
}

void print_findings(const CommonOptions& common, const std::vector<Finding>& findings) {
    if (common.json) {
        boost::json::array list;
        bool good = true;
        for (const Finding& finding : findings) {
            good = good && finding.verdict != Verdict::fail;
            list.push_back({{"verdict", verdict_name(finding.verdict)},
                            {"check", finding.check},
                            {"text", finding.text},
                            {"advice", finding.advice}});
        }
        boost::json::object out{{"ok", good}};
        out["checks"] = std::move(list);
        return print_json(out);
    }
    std::size_t width = 0;
    for (const Finding& finding : findings)
        width = std::max(width, finding.check.size());
    for (const Finding& finding : findings) {
        std::string mark;
        switch (finding.verdict) {
            case Verdict::ok:
                mark = paint(Colour::green, "✓");
                break;
            case Verdict::note:
                mark = paint(Colour::cyan, "·");
                break;
            case Verdict::warn:
                mark = paint(Colour::amber, "!");
                break;
            case Verdict::fail:
                mark = paint(Colour::red, "✗");
                break;
            case Verdict::skipped:
                mark = paint(Colour::dim, "–");
                break;
        }
        print_line(mark + " " + finding.check + std::string(width + 2 - finding.check.size(), ' ') +
                   printable(finding.text));
        if (!finding.advice.empty())
            print_line(std::string(width + 4, ' ') +
                       paint(Colour::cyan, "→ " + printable(finding.advice)));
    }
}

}  // namespace

int run_doctor(const CommonOptions& common, const DoctorCommand& command) {
    const bool shows = isatty(STDERR_FILENO) == 1;
    const ops::OnProgress on_progress = [shows](std::size_t done, std::size_t of) {
        if (shows && of > 1000)
            complain("\rchecking the store: " + std::to_string(100 * done / of) + " %   \r");
    };
    std::vector<Finding> findings;
    if (!command.folder.empty()) {
        findings = ops::check_folder(command.folder);
        if (findings.back().verdict != Verdict::fail)
            append(findings, ops::check_store(command.folder, on_progress));
    } else {
        check_all(common, command, on_progress, findings);
    }
    print_findings(common, findings);
    const auto count = [&](Verdict verdict) {
        return std::count_if(findings.begin(), findings.end(),
                             [&](const Finding& finding) { return finding.verdict == verdict; });
    };
    const auto failed = count(Verdict::fail), warned = count(Verdict::warn);
    if (!common.json)
        print_line("\n" + std::to_string(count(Verdict::ok)) + " good, " + std::to_string(warned) +
                   (warned == 1 ? " warning, " : " warnings, ") + std::to_string(failed) +
                   " failed");
    return static_cast<int>(failed > 0 ? Exit::failed : Exit::ok);
}

}  // namespace dyad::cli
