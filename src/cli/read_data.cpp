#include "cli/read_data.hpp"

#include "base/limits.hpp"
#include "cli/rest_client.hpp"

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <unistd.h>

namespace dyad::cli {
namespace {

Result<std::string> read_all(int file, const std::string& name) {
    std::string out;
    char chunk[16384];
    for (;;) {
        const ssize_t got = ::read(file, chunk, sizeof chunk);
        if (got == 0) return out;
        if (got < 0)
            return fail(Errc::invalid_field,
                        name + ": cannot be read: " + std::strerror(errno) + ".");
        out.append(chunk, static_cast<std::size_t>(got));
        if (out.size() > static_cast<std::size_t>(limits::http_body_bytes_max))
            return fail(Errc::too_large, name + ": has more than " +
                                             std::to_string(limits::http_body_bytes_max) +
                                             " bytes.");
    }
}

}  // namespace

Result<json::Value> read_data(const std::string& argument) {
    std::string name = "The data";
    std::string text = argument;
    if (argument == "-" || argument.starts_with("@")) {
        name = argument == "-" ? "Standard input" : argument.substr(1);
        const net::Fd file(argument == "-" ? ::dup(STDIN_FILENO)
                                           : ::open(name.c_str(), O_RDONLY | O_CLOEXEC));
        if (!file.valid())
            return fail(Errc::invalid_field,
                        name + ": cannot be opened: " + std::strerror(errno) + ".");
        Result<std::string> read = read_all(file.get(), name);
        if (!read) return read.error();
        text = *std::move(read);
    }
    Result<json::Value> value = json::parse(text);
    if (value) return value;
    return fail(value.error().code,
                name + " is not usable JSON: " + value.error().detail +
                    ". Give JSON in single quotes, @file, or - for standard input.");
}

int report_input(const Common& common, const Error& error) {
    return report(common,
                  {Exit::usage, std::string(error_row(error.code).name), error.detail, nullptr});
}

}  // namespace dyad::cli
