// A visitor of std::visit put together from lambdas, one for each alternative.
#pragma once

namespace dyad {

template <class... Lambdas>
struct Overloaded : Lambdas... {
    using Lambdas::operator()...;
};
template <class... Lambdas>
Overloaded(Lambdas...) -> Overloaded<Lambdas...>;

}  // namespace dyad
