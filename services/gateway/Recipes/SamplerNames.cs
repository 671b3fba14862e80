namespace Fleet.Gateway.Recipes;

/// <summary>What the "parameters" record calls schedulers and their sigmas, after the web UI that the record comes from.</summary>
internal static class SamplerNames
{
    /// <param name="name">The fleet's name; empty for the version's own scheduler.</param>
    /// <param name="ownClass">Class of the version's own scheduler.</param>
    public static string Sampler(string name, string ownClass) => name switch
    {
        "ddim" => "DDIM",
        "ddpm" => "DDPM",
        "pndm" => "PLMS",
        "lms" => "LMS",
        "euler" => "Euler",
        "euler-ancestral" => "Euler a",
        "heun" => "Heun",
        "dpm2" => "DPM2",
        "dpm2-ancestral" => "DPM2 a",
        "dpmpp-2m" => "DPM++ 2M",
        "dpmpp-2m-sde" => "DPM++ 2M SDE",
        "dpmpp-single" => "DPM++ 2S",
        "unipc" => "UniPC",
        "deis" => "DEIS",
        "lcm" => "LCM",
        "tcd" => "TCD",
        "" => ownClass,
        _ => name,
    };

    public static string Schedule(string sigmas) => sigmas switch
    {
        "karras" => "Karras",
        "exponential" => "Exponential",
        "beta" => "Beta",
        _ => sigmas,
    };
}
