// Many commands of one call: a few at a time, each by its own answer, and an end when all have one.
// Internal to the other servers' tools. Threads: the cell's.
#pragma once

#include "server/mcp/registry.hpp"

#include <cstddef>
#include <functional>
#include <memory>
#include <string_view>
#include <variant>
#include <vector>

namespace dyad::server::mcp::others {

using Outcome = std::variant<Reply, Rejection>;

class Batch : public std::enable_shared_from_this<Batch> {
  public:
    // Takes the answer of the command of this index. Errors: those of the call.
    using Take = std::function<Status(std::size_t index, const Outcome& outcome)>;
    using End = std::function<void(Call&)>;

    // Submits the commands as the call's. Where one gets an error the call fails with the first of
    // them, once all under way have their answers; what was written stays, and the same call again
    // does what is missing. Else `end`.
    static void run(Call& call, std::vector<Command> commands, Take take, End end);

  private:
    void go_on();
    void answered(std::size_t index, const Outcome& outcome);

    std::shared_ptr<Call> call_;
    std::vector<Command> commands_;
    Take take_;
    End end_;
    std::size_t next_ = 0;
    std::size_t open_ = 0;
    std::optional<Error> failed_;
};

// A command of the call's instance, with an operation id of its own.
Command command_of(Call& call, CommandBody body);

// Takes success, and rejections of this code for success, too.
Status unless(const Outcome& outcome, Errc passed_over);

// Changes a context by a merge patch that is made from what is stored, again and again where others
// write it meanwhile: nothing of theirs is lost.
// `patch_of(stored)`: a merge patch, or an empty one where there is nothing to change; errors end
// it.
void change_context(Call& call, std::string key,
                    std::function<Result<std::string>(const ContextPtr& stored)> patch_of,
                    std::function<void(const Status&)> done);

// The result of a tool as a text and as a structure.
void answer_with(Call& call, std::string_view text, std::string_view structured);
// JSON with two blanks a level, as ECMAScript's JSON.stringify(value, null, 2) writes it.
std::string indented(std::string_view compact);

}  // namespace dyad::server::mcp::others
